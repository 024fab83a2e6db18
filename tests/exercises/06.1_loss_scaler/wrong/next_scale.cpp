//@fails gradients that the optimizer sees | divided by the scale of the next step
//@solution 06.1 step
const bool finite =
    std::all_of(gradients.begin(), gradients.end(), [](float value) { return std::isfinite(value); });
adapt(!finite);
if (!finite) return false;
for (float& value : gradients) value = float(value / scale_);
update();
return true;
//@end
