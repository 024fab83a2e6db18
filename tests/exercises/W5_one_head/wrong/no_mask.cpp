//@fails output | averages over the whole sequence
//@solution W5 output
return matmul(softmax(scores(x)), value(x));
//@end
