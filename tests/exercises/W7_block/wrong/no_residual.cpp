//@fails first and last layer | of the first block is
//@solution W7 block
x = attention(ln_1(x)) * gain;
return feed_forward(ln_2(x)) * gain;
//@end
