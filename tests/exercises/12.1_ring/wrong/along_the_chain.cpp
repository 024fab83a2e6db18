//@fails bytes | two whole vectors
//@solution 12.1 rounds
std::vector<float> sum(x.size());
if (rank > 0) ring.receive(sum);
for (size_t i = 0; i < x.size(); ++i) x[i] += sum[i];
if (ranks > 1) ring.send(x);  // the last one sends the result to rank 0
if (rank < ranks - 1) ring.receive(x);
if (rank < ranks - 2) ring.send(x);
//@end
