// JSON from foreign files: nlohmann's parser, made stricter.
//
// since 02_hf_weights
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace gpt2 {

// Returns the JSON value of `text`. Error messages begin with `where` and give line and column. Also refused,
// although nlohmann accepts them: a key that occurs twice in one object (it would keep the last), a NUL byte
// (it would stop reading there) and nesting deeper than 16 (ten million brackets would fill the memory).
nlohmann::json parse_json(std::string_view text, const std::string& where);

// Returns `text` as a JSON string; bytes that are not UTF-8 become U+FFFD.
std::string json_text(const std::string& text);

// Returns a value from a foreign file for a one-line message: in JSON syntax, with control characters and
// non-ASCII characters escaped, cut after 80 characters.
std::string escaped(const nlohmann::json& value);

}  // namespace gpt2
