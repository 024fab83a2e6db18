//@fails identity | leave the stream alone
//@solution W7 block
x = ln_1(x + attention(x) * gain);
return ln_2(x + feed_forward(x) * gain);
//@end
