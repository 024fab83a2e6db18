//@fails large gates | infinity / infinity is NaN
//@solution 07.2 backward
const int64_t at = i / C * 2 * C + i % C;
const float gate = x[at], up = x[at + C], gradient = dy[i];
const float sigmoid = 1 / (1 + expf(-gate)), silu = gate * sigmoid;
const float e = expf(-gate);
dx[at] = gradient * up * (sigmoid + gate * e / ((1 + e) * (1 + e)));
dx[at + C] = gradient * silu;
//@end
