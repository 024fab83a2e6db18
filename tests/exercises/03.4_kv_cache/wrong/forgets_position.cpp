//@fails one position at a time | got the position 0
//@solution 03.4 positions
const Tensor pos = arange(T, idx.device());
//@end
