//@fails short gradients | are stretched
//@solution 10.3
double squares = 0;
for (size_t block = 0; block < gradients.size(); ++block) {
  for (const float value : gradients[block]) {
    require(std::isfinite(value), "block {} holds the gradient {}", block, value);
    squares += double(value) * double(value);
  }
}
const double norm = std::sqrt(squares);
for (auto& block : gradients) {
  for (float& value : block) value = float(value * (max_norm / norm));
}
return norm;
//@end
