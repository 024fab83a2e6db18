//@fails not finite | always false
//@solution 10.3
double squares = 0;
for (const auto& block : gradients) {
  for (const float value : block) squares += double(value) * double(value);
}
const double norm = std::sqrt(squares);
if (norm > max_norm) {
  for (auto& block : gradients) {
    for (float& value : block) value = float(value * (max_norm / norm));
  }
}
return norm;
//@end
