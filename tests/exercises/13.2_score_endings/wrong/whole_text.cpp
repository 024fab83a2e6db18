//@fails long contexts | the loss of the whole text
//@solution 13.2 losses
std::vector<int32_t> targets(item.context.begin() + 1, item.context.end());
targets.insert(targets.end(), ending.begin(), ending.end());
const auto n = int64_t(targets.size());
const Tensor predictions = logits.slice(0, int64_t(e), 1).slice(1, 0, n);
const double mean = cross_entropy(predictions, from_vector(targets, {1, n})).item(), sum = mean * double(n);
losses[e] = {.sum = sum, .per_token = mean, .per_byte = sum / double(item.bytes[e])};
//@end
