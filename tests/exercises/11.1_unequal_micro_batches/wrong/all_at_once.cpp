//@fails lengths 1 to 64 | one micro-batch at a time
//@solution 11.1 loop
MicroBatch joined;
for (const MicroBatch& batch : micro_batches) {
  joined.x.insert(joined.x.end(), batch.x.begin(), batch.x.end());
  joined.y.insert(joined.y.end(), batch.y.begin(), batch.y.end());
}
const double share = double(count_targets({joined})) / double(all_targets);
const Tensor loss = model.loss(joined) * (share * ranks);
loss_accum += loss.item();
loss.backward();
//@end
