//@fails loss of the next id | you predict the id before
//@solution W1 loss
const int64_t pairs = ids.size(0) - 1;
return cross_entropy((*this)(ids.slice(0, 1, pairs)), ids.slice(0, 0, pairs));
//@end
