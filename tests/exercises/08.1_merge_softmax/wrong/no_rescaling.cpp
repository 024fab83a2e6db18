//@fails one score after the other | l is the number of keys
//@solution 08.1 merge
return {std::max(x.m, y.m), x.l + y.l, x.a + y.a};
//@end
