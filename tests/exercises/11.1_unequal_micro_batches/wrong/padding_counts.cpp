//@fails padding | positions of padding are counted
//@solution 11.1 count
for (const MicroBatch& batch : micro_batches) targets += std::ssize(batch.y);
//@end
