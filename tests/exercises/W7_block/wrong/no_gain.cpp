//@fails one position | the gain is missing
//@solution W7 block
x = x + attention(ln_1(x));
return x + feed_forward(ln_2(x));
//@end
