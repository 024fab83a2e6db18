//@fails positions computed | give it the newest id alone
//@solution 03.4 loop
cache.assign(cache.size(), {});
const Tensor logits = model(last(x, model.config.block_size), cache);
//@end
