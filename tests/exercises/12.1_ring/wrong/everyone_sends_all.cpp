//@fails bytes | its whole vector to everyone
//@solution 12.1 rounds
std::vector<float> passing(x.begin(), x.end());
for (int64_t step = 0; step < ranks - 1; ++step) {
  ring.send(passing);
  ring.receive(passing);
  for (size_t i = 0; i < x.size(); ++i) x[i] += passing[i];
}
//@end
