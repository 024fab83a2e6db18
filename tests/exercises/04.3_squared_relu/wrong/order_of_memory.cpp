//@fails gradient that arrives transposed | in the order of its memory
//@solution 04.3 backward
const float* dy = g.dy().data<float>();
for (int64_t i = 0; i < n; ++i) grad[i] = (beta == 0 ? 0 : grad[i]) + 2 * std::max(in[i], 0.0f) * dy[i];
//@end
