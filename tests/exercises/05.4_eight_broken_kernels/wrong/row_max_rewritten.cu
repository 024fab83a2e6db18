//@fails row max | of its statements were changed
//@solution 05.4 row_max
float value = row[0];
for (int64_t i = 1; i < cols; ++i) value = fmaxf(value, row[i]);
//@end
