//@fails losses of an item | the ending's first token is missing
//@solution 13.2 losses
const auto n = int64_t(ending.size()), begin = int64_t(item.context.size());
double sum = 0;
for (int64_t i = 1; i < n; ++i) {
  const Tensor predictions = logits.slice(0, int64_t(e), 1).slice(1, begin + i - 1, 1);
  sum += cross_entropy(predictions, from_vector(std::vector<int32_t>{ending[size_t(i)]}, {1, 1})).item();
}
losses[e] = {.sum = sum, .per_token = sum / double(n), .per_byte = sum / double(item.bytes[e])};
//@end
