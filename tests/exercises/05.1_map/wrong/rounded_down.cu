//@fails values | the number of blocks is rounded up
//@solution 05.1 blocks
const int64_t blocks = n / kThreads;
//@end
