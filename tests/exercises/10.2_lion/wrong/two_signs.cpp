//@fails nothing to do | sign(0) is 0
//@solution 10.2 sign
return x > 0 ? 1 : -1;
//@end
