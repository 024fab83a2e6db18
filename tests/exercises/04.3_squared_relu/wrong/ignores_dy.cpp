//@fails gradient | multiply it by the gradient that arrives
//@solution 04.3 backward
for (int64_t i = 0; i < n; ++i) grad[i] = (beta == 0 ? 0 : grad[i]) + 2 * std::max(in[i], 0.0f);
//@end
