//@fails without targets | NaN times 0 is NaN
//@solution 11.1 loop
for (const MicroBatch& batch : micro_batches) {
  const double share = double(count_targets({batch})) / double(all_targets);
  const Tensor loss = model.loss(batch) * (share * ranks);
  loss_accum += loss.item();
  loss.backward();
}
//@end
