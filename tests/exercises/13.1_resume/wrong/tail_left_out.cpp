//@fails one epoch | a shard's last window is missing
//@solution 13.1 windows
return std::max<int64_t>((shards_.size(shard) - begin) / (T + 1), 0);
//@end
