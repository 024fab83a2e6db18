//@fails softmax | no barrier lies between
//@solution 05.4 softmax
__syncwarp();
//@end
