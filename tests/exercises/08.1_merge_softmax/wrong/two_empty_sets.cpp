//@fails nothing yet | -inf - -inf is NaN
//@solution 08.1 merge
const float m = std::max(x.m, y.m);
const float of_x = std::exp(x.m - m), of_y = std::exp(y.m - m);
return {m, of_x* x.l + of_y* y.l, of_x* x.a + of_y* y.a};
//@end
