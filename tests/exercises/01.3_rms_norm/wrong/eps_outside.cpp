//@fails tiny inputs | it belongs under it
//@solution 01.3 rms
double sum = 0;
for (int64_t i = 0; i < C; ++i) sum += double(x[i]) * double(x[i]);
return float(1 / (std::sqrt(sum / double(C)) + eps));
//@end
