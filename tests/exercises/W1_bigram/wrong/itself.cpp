//@fails loss of the next id | you compare each id with itself
//@solution W1 loss
return cross_entropy((*this)(ids), ids);
//@end
