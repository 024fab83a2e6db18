//@fails overlaps and gaps | all tensors share the first bytes: no error
//@solution 02.1 cover
int64_t last = 0;
for (const Description& tensor : tensors) last = std::max(last, tensor.end);
require(last == size, "{} bytes behind the last tensor belong to none", size - last);
//@end
