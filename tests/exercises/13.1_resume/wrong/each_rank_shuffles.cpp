//@fails several ranks | the ranks together
//@solution 13.1 read
const uint64_t seed = settings_.seed + uint64_t(settings_.rank);
int64_t window = shuffled(seed, at.epoch, rows(at.epoch), at.position);
int64_t shard = 0;
for (; window >= windows(at.epoch, shard); ++shard) window -= windows(at.epoch, shard);
const int64_t first = first_window(settings_.seed, at.epoch, shard, settings_.T);
return shards_.read(shard, first + window * settings_.T, settings_.T + 1);
//@end
