//@fails means | the matrix stands on the left
//@solution W3 means
return matmul(x, past_weights(x.size(1)));
//@end
