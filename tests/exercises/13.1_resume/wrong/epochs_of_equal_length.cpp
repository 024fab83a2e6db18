//@fails end of an epoch | is read, which has
//@solution 13.1 after
const int64_t position = at.position + n, all = rows(0);
return {at.epoch + position / all, position % all};
//@end
