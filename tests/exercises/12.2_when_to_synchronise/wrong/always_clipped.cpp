//@fails sum_over_ranks | clipping hides it
//@solution 12.2 check
return compare(/*max_norm=*/0.1);
//@end
