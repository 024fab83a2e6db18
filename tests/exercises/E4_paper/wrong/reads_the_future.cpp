//@fails another model | the model reads the future
//@solution E4 block
const int64_t T = x.size(1);
const Tensor mean = softmax(zeros({x.size(0), T, T}));  // each position reads the mean of all
return x + matmul(mean, ln(x)) + mlp(ln(x));
//@end
