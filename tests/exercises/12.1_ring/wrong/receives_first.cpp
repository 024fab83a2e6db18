//@fails two ranks | never sends
//@solution 12.1 rounds
std::vector<float> arrived;
for (int64_t step = 0; step < ranks - 1; ++step) {
  const std::span<float> sum = part(x, rank - step - 1, ranks);
  arrived.resize(sum.size());
  ring.receive(arrived);
  ring.send(part(x, rank - step, ranks));
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += arrived[i];
}
for (int64_t step = 0; step < ranks - 1; ++step) {
  ring.receive(part(x, rank - step, ranks));
  ring.send(part(x, rank - step + 1, ranks));
}
//@end
