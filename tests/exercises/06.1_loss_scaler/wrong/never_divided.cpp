//@fails gradients that the optimizer sees | AdamW forgives a constant factor
//@solution 06.1 step
const bool finite =
    std::all_of(gradients.begin(), gradients.end(), [](float value) { return std::isfinite(value); });
if (finite) update();
adapt(!finite);
return finite;
//@end
