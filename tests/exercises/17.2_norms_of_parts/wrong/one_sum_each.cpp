//@fails same bits | other bits than with one rank
//@solution 17.2 pieces
static_cast<void>(chunk);
return tensors;
//@end
//@solution 17.2 squares
std::vector<Range> counted = own.parts;
if (own.rank == 0) counted.push_back(own.rest);
std::vector<float> squares(pieces.size());
for (size_t i = 0; i < pieces.size(); ++i) {
  for (const Range& part : counted) {
    const int64_t begin = std::max(part.begin, pieces[i].begin), end = std::min(part.end, pieces[i].end);
    for (int64_t at = begin; at < end; ++at) squares[i] += gradients[size_t(at)] * gradients[size_t(at)];
  }
}
return squares;
//@end
