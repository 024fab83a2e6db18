//@fails scores | you divide by sqrt(C)
//@solution W5 scores
return matmul(query(x), key(x).transpose(-2, -1)) / std::sqrt(double(x.size(-1)));
//@end
