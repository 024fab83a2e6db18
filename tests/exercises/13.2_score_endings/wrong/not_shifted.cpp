//@fails losses of an item | are for the token after it
//@solution 13.2 losses
const auto n = int64_t(ending.size()), begin = int64_t(item.context.size());
const Tensor predictions = logits.slice(0, int64_t(e), 1).slice(1, begin, n);
const double mean = cross_entropy(predictions, from_vector(ending, {1, n})).item(), sum = mean * double(n);
losses[e] = {.sum = sum, .per_token = mean, .per_byte = sum / double(item.bytes[e])};
//@end
