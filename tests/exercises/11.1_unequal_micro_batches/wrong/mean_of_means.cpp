//@fails lengths 1 to 64 | mean of the means
//@solution 11.1 loop
(void)all_targets, (void)ranks;
for (const MicroBatch& batch : micro_batches) {
  const Tensor loss = model.loss(batch) / double(micro_batches.size());
  loss_accum += loss.item();
  loss.backward();
}
//@end
