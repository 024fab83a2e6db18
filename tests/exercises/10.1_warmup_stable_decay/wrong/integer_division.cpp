//@fails decay | is wrong
//@solution 10.1
if (step < warmup) return max_lr * double(step + 1) / double(warmup);
if (step < steps - decay) return max_lr;
if (step >= steps) return min_lr;
return min_lr + (max_lr - min_lr) * (1 - std::sqrt(double((step - (steps - decay)) / decay)));
//@end
