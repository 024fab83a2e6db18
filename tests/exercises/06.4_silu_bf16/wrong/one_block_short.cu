//@fails a view that is not aligned | the last one may need a block more
//@solution 06.4 blocks
const int64_t blocks = blocks_for<N>(n);
//@end
