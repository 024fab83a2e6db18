//@fails any size | the last values are not summed
//@solution 12.1 part
i = (i + ranks) % ranks;
const size_t length = x.size() / size_t(ranks);
return x.subspan(size_t(i) * length, length);
//@end
