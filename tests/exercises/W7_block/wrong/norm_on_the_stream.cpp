//@fails identity | leave the stream alone
//@solution W7 block
x = ln_1(x);
x = x + attention(x) * gain;
x = ln_2(x);
x = x + feed_forward(x) * gain;
return x;
//@end
