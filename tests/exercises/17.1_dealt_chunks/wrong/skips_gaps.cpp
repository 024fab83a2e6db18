//@fails place in the block | there are gaps between the ranges
//@solution 17.1 place
return ranges[0].begin + i;
//@end
