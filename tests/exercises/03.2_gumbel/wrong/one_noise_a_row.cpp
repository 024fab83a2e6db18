//@fails ids of the generator | nothing is drawn
//@solution 03.2
std::vector<float> q(static_cast<size_t>(B));
generator.exponential(q);
for (int64_t b = 0; b < B; ++b) {
  const double noise = -std::log(double(q[size_t(b)]));
  const auto score = [&](int64_t i) { return double(rows[size_t(i)]) / temperature + noise; };
  int64_t best = b * V;
  for (int64_t i = b * V; i < (b + 1) * V; ++i) best = score(i) > score(best) ? i : best;
  ids.push_back(int32_t(best - b * V));
}
//@end
