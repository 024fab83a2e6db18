//@fails lines | the answer begins with its first digit
//@solution E2 line
std::vector<int32_t> line;
const auto digit = [&](int64_t number, int64_t power) {
  line.push_back(symbols.digit[size_t(number / power % 10)]);
};
for (const int64_t power : {100, 10, 1}) digit(a, power);
line.push_back(symbols.plus);
for (const int64_t power : {100, 10, 1}) digit(b, power);
line.push_back(symbols.equals);
for (const int64_t power : {1000, 100, 10, 1}) digit(a + b, power);
return line;
//@end
