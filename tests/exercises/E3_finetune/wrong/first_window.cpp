//@fails validation loss | the first window alone
//@solution E3 validation
const NoGrad no_grad;
DataLoaderLite loader(text, 1, kContext, kCpu);
const auto [x, y] = loader.next_batch();
return cross_entropy(model(x), y).item();
//@end
