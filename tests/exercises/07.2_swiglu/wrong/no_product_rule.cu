//@fails backward | lacks a term
//@solution 07.2 backward
const int64_t at = i / C * 2 * C + i % C;
const float gate = x[at], up = x[at + C], gradient = dy[i];
const float sigmoid = 1 / (1 + expf(-gate)), silu = gate * sigmoid;
dx[at] = gradient * up * sigmoid;
dx[at + C] = gradient * silu;
//@end
