#include "common/base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "common/base/error.h"
#include "common/base/text_file.h"

namespace gpt2 {
namespace {

using nlohmann::json;

// "line 3, column 14" for a byte offset, both counted from 1.
std::string position(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, byte);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t column = before.size() - (before.rfind('\n') + 1);  // npos + 1 is 0
  return fmt::format("line {}, column {}", line, column + 1);
}

}  // namespace

json parse_json(std::string_view text, const std::string& where) {
  text = skip_byte_order_mark(text, where);
  constexpr int kMaxDepth = 16;
  std::vector<std::set<std::string>> keys;  // the keys seen so far in every open object
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    using Event = json::parse_event_t;
    require(depth <= kMaxDepth, "{}: JSON is nested deeper than {} levels", where, kMaxDepth);
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    const bool is_new = event != Event::key || keys.back().insert(parsed.get<std::string>()).second;
    if (!is_new) fail("{}: JSON has the key {} twice", where, escaped(parsed));
    return true;
  };
  const size_t nul = text.find('\0');
  if (nul != text.npos) fail("{}: not valid JSON ({}: a NUL byte)", where, position(text, nul));
  try {
    return json::parse(text.begin(), text.end(), check);
  } catch (const json::parse_error& error) {
    fail("{}: not valid JSON ({})", where, position(text, error.byte > 0 ? error.byte - 1 : 0));
  } catch (const json::exception&) {
    fail("{}: not valid JSON (a number is out of range)", where);
  }
}

std::string json_text(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string escaped(const json& value) {
  constexpr size_t kMaxLength = 80;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
  if (text.size() > kMaxLength) text = text.substr(0, kMaxLength) + "...";
  return text;
}

}  // namespace gpt2
