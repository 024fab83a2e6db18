//@fails across the block size | without a cache it is
//@solution 03.4 loop
const int64_t block_size = model.config.block_size;
const bool empty = !cache.front().k.defined();
if (!empty && cache.front().k.size(2) == block_size) {
  for (Slot& slot : cache) {  // the oldest one leaves, the others stay as they are
    slot.k = slot.k.slice(2, 1, block_size - 1).contiguous();
    slot.v = slot.v.slice(2, 1, block_size - 1).contiguous();
  }
}
const Tensor logits = model(last(x, empty ? block_size : 1), cache);
//@end
