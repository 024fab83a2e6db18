//@fails frequencies | the frequencies differ from
//@solution 03.2
std::vector<float> q(rows.size());
generator.exponential(q);
const auto score = [&](int64_t i) { return double(rows[size_t(i)]) / temperature / double(q[size_t(i)]); };
for (int64_t b = 0; b < B; ++b) {
  int64_t best = b * V;
  for (int64_t i = b * V; i < (b + 1) * V; ++i) best = score(i) > score(best) ? i : best;
  ids.push_back(int32_t(best - b * V));
}
//@end
