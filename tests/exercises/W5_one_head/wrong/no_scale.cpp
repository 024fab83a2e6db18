//@fails scores | divide by sqrt(hs)
//@solution W5 scores
return matmul(query(x), key(x).transpose(-2, -1));
//@end
