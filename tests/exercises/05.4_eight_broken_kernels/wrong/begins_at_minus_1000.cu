//@fails row max | where does the search begin?
//@solution 05.4 row_max
float value = -1000;
//@end
