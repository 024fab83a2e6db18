//@fails queries, keys and values | is as in the file
//@solution 02.2 heads
to = from;
//@end
