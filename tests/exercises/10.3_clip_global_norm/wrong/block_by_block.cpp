//@fails long gradients | each block is clipped on its own
//@solution 10.3
double all = 0;
for (size_t block = 0; block < gradients.size(); ++block) {
  double squares = 0;
  for (const float value : gradients[block]) {
    require(std::isfinite(value), "block {} holds the gradient {}", block, value);
    squares += double(value) * double(value);
  }
  all += squares;
  const double norm = std::sqrt(squares);
  if (norm <= max_norm) continue;
  for (float& value : gradients[block]) value = float(value * (max_norm / norm));
}
return std::sqrt(all);
//@end
