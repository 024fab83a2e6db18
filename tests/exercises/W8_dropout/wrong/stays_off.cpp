//@fails estimate of the loss | training goes on without it
//@solution W8 estimate
const NoGrad no_grad;
model.dropout.training = false;
return cross_entropy(model(x), y).item();
//@end
