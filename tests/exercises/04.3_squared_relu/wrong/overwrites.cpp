//@fails used twice | that of one use
//@solution 04.3 backward
(void)beta;
const Tensor arrived = g.dy().contiguous();
const float* dy = arrived.data<float>();
for (int64_t i = 0; i < n; ++i) grad[i] = 2 * std::max(in[i], 0.0f) * dy[i];
//@end
