//@fails stable | between the warm-up and the decay
//@solution 10.1
(void)decay;
if (step < warmup) return max_lr * double(step + 1) / double(warmup);
if (step >= steps) return min_lr;
const double done = double(step - warmup) / double(steps - warmup);
return min_lr + (max_lr - min_lr) * 0.5 * (1 + std::cos(M_PI * done));
//@end
