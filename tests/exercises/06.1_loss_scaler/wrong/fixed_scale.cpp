//@fails 500 steps | the scale stays
//@solution 06.1 adapt
(void)overflow;
//@end
