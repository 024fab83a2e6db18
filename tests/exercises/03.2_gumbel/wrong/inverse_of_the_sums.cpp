//@fails ids of the generator | uses exp, which this exercise does not allow
//@solution 03.2
std::vector<float> u(static_cast<size_t>(B));
generator.uniform(u, 0, 1);
const auto weight = [&](int64_t i) { return std::exp(double(rows[size_t(i)]) / temperature); };
for (int64_t b = 0; b < B; ++b) {
  double sum = 0;
  for (int64_t i = b * V; i < (b + 1) * V; ++i) sum += weight(i);
  int64_t id = 0;
  for (double left = sum * double(u[size_t(b)]); id < V - 1 && (left -= weight(b * V + id)) >= 0;) ++id;
  ids.push_back(int32_t(id));
}
//@end
