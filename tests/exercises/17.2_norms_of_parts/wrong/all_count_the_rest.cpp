//@fails rest counts once | only rank 0 counts it
//@solution 17.2 squares
const auto counts = [&](int64_t at) {
  return at >= own.rest.begin || std::any_of(own.parts.begin(), own.parts.end(), [&](const Range& part) {
           return at >= part.begin && at < part.end;
         });
};
std::vector<float> squares(pieces.size());
for (size_t i = 0; i < pieces.size(); ++i) {
  if (!counts(pieces[i].begin)) continue;
  for (const float g : gradients.subspan(size_t(pieces[i].begin), size_t(pieces[i].size()))) squares[i] += g * g;
}
return squares;
//@end
