//@fails warm-up | trains nothing
//@solution 10.1
if (step < warmup) return max_lr * double(step) / double(warmup);
if (step < steps - decay) return max_lr;
if (step >= steps) return min_lr;
const double done = double(step - (steps - decay)) / double(decay);
return min_lr + (max_lr - min_lr) * (1 - std::sqrt(done));
//@end
