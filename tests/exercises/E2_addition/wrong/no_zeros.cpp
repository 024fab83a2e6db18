//@fails lines | zeros are missing
//@solution E2 line
std::string text = std::to_string(a + b);
std::reverse(text.begin(), text.end());
text = std::to_string(a) + "+" + std::to_string(b) + "=" + text;
std::vector<int32_t> line;
for (const char c : text)
  line.push_back(c == '+' ? symbols.plus : c == '=' ? symbols.equals : symbols.digit[size_t(c - '0')]);
return line;
//@end
