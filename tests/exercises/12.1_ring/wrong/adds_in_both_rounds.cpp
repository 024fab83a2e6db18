//@fails sums | is added to again
//@solution 12.1 rounds
std::vector<float> arrived;
for (int64_t step = 0; step < 2 * (ranks - 1); ++step) {
  ring.send(part(x, rank - step % ranks, ranks));
  const std::span<float> sum = part(x, rank - (step + 1) % ranks, ranks);
  arrived.resize(sum.size());
  ring.receive(arrived);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += arrived[i];
}
//@end
