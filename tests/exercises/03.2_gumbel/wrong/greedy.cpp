//@fails ids of the generator | nothing is drawn
//@solution 03.2
std::vector<float> q(rows.size());
generator.exponential(q);
for (int64_t b = 0; b < B; ++b) {
  int64_t best = b * V;
  for (int64_t i = b * V; i < (b + 1) * V; ++i) best = rows[size_t(i)] > rows[size_t(best)] ? i : best;
  ids.push_back(int32_t(best - b * V));
}
//@end
