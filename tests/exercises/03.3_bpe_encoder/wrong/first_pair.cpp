//@fails few tokens | you join the leftmost pair that is a token
//@solution 03.3
std::vector<std::string> parts;
for (const char c : text) parts.emplace_back(1, c);
for (size_t i = 0; i + 1 < parts.size();) {
  if (rank_of(parts[i] + parts[i + 1], ranks) == kNone) {
    ++i;
    continue;
  }
  parts[i] += parts[i + 1];
  parts.erase(parts.begin() + long(i) + 1);
  i = 0;
}
std::vector<int32_t> ids;
for (const auto& part : parts) ids.push_back(rank_of(part, ranks));
return ids;
//@end
