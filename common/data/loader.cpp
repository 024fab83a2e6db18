#include "common/data/loader.h"

#include "common/tensor/context.h"

namespace gpt2 {

DataLoaderLite::DataLoaderLite(std::vector<int32_t> tokens, int64_t B, int64_t T, Device device)
    : tokens_(std::move(tokens)) {
  // Compared by division, because B * T could overflow.
  require(B <= (num_tokens() - 1) / T,
          "--batch {} x --seq {} and one target are more than the text's {} tokens; use a smaller batch or a "
          "longer text",
          B, T, num_tokens());
  batch_ = {empty({B, T}, device, DType::i32), empty({B, T}, device, DType::i32)};
}

Batch DataLoaderLite::next_batch() {
  const Device device = batch_.x.device();
  const size_t bytes = size_t(batch_.x.numel()) * sizeof(int32_t);
  const int32_t* tokens = tokens_.data() + position_;
  backend(device).copy(batch_.x.data<int32_t>(), tokens, bytes, context().stream(device));
  backend(device).copy(batch_.y.data<int32_t>(), tokens + 1, bytes, context().stream(device));
  position_ += batch_.x.numel();
  if (position_ + batch_.x.numel() + 1 > num_tokens()) reset();
  return batch_;
}

}  // namespace gpt2
