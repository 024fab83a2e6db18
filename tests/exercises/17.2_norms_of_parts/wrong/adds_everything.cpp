//@fails own part only | gradients that it does not have
//@solution 17.2 squares
std::vector<float> squares(pieces.size());
for (size_t i = 0; i < pieces.size(); ++i) {
  if (pieces[i].begin >= own.rest.begin && own.rank > 0) continue;
  for (const float g : gradients.subspan(size_t(pieces[i].begin), size_t(pieces[i].size()))) squares[i] += g * g;
}
return squares;
//@end
