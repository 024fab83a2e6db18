//@fails several ranks | divides by its own targets
//@solution 11.1 loop
(void)all_targets, (void)ranks;
const int64_t own_targets = count_targets(micro_batches);
for (const MicroBatch& batch : micro_batches) {
  const int64_t targets = count_targets({batch});
  if (targets == 0) continue;
  const Tensor loss = model.loss(batch) * (double(targets) / double(own_targets));
  loss_accum += loss.item();
  loss.backward();
}
//@end
