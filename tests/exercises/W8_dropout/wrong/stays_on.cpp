//@fails estimate of the loss | dropout is still on
//@solution W8 estimate
const NoGrad no_grad;
return cross_entropy(model(x), y).item();
//@end
