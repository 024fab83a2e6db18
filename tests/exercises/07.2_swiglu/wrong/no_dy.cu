//@fails backward | dy is missing
//@solution 07.2 backward
const int64_t at = i / C * 2 * C + i % C;
const float gate = x[at], up = x[at + C];
const float sigmoid = 1 / (1 + expf(-gate)), silu = gate * sigmoid;
dx[at] = up * (sigmoid + silu * (1 - sigmoid));
dx[at + C] = silu;
//@end
