//@fails ranks in any order | you go through the ranks once
//@solution 03.3
std::vector<const std::string*> tokens(ranks.size());
for (const auto& [token, rank] : ranks) tokens[size_t(rank)] = &token;
std::vector<std::string> parts;
for (const char c : text) parts.emplace_back(1, c);
for (const std::string* token : tokens) {
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    if (parts[i] + parts[i + 1] != *token) continue;
    parts[i] = *token;
    parts.erase(parts.begin() + long(i) + 1);
  }
}
std::vector<int32_t> ids;
for (const auto& part : parts) ids.push_back(rank_of(part, ranks));
return ids;
//@end
