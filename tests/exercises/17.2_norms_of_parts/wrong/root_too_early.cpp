//@fails norms | its norm is
//@solution 17.2 norms
std::vector<float> norms;
size_t next = 0;
for (const Range& tensor : tensors) {
  float sum = 0;
  while (next < pieces.size() && pieces[next].begin < tensor.end) sum += std::sqrt(squares[next++]);
  norms.push_back(sum);
}
return norms;
//@end
