//@fails several ranks | the ranks' gradients are averaged
//@solution 11.1 loop
(void)ranks;
for (const MicroBatch& batch : micro_batches) {
  const int64_t targets = count_targets({batch});
  if (targets == 0) continue;
  const Tensor loss = model.loss(batch) * (double(targets) / double(all_targets));
  loss_accum += loss.item();
  loss.backward();
}
//@end
