//@fails pieces | lies in two tensors
//@solution 17.2 pieces
std::vector<Range> pieces;
const int64_t n = tensors.back().end;
for (int64_t at = 0; at < n; at += chunk) pieces.push_back({at, std::min(at + chunk, n)});
return pieces;
//@end
