//@fails overflow | every comparison with NaN is false
//@solution 06.1 step
float largest = 0;
for (const float value : gradients) largest = std::max(largest, std::abs(value));
const bool finite = largest < INFINITY;
if (finite) {
  for (float& value : gradients) value = float(value / scale_);
  update();
}
adapt(!finite);
return finite;
//@end
