//@fails large scores | take exp only of differences
//@solution 08.1 merge
const float m = std::max(x.m, y.m);
if (m == -INFINITY) return x;
const float of_x = x.l == 0 ? 0 : std::exp(x.m), of_y = y.l == 0 ? 0 : std::exp(y.m);
return {m, (of_x * x.l + of_y * y.l) / std::exp(m), (of_x * x.a + of_y * y.a) / std::exp(m)};
//@end
