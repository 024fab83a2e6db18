//@fails long contexts | by the length of the whole row
//@solution 13.2 losses
const auto n = int64_t(ending.size()), before = int64_t(item.context.size()) - 1;
const Tensor predictions = logits.slice(0, int64_t(e), 1).slice(1, before, n);
const double sum = double(cross_entropy(predictions, from_vector(ending, {1, n})).item()) * double(n);
losses[e] = {.sum = sum, .per_token = sum / double(before + 1 + n), .per_byte = sum / double(item.bytes[e])};
//@end
