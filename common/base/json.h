// JSON from files that are not ours: nlohmann's parser with its leniencies closed.
//
// since 02_hf_weights
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace gpt2 {

// The value of `text`, whose errors begin with `where` and give line and column. Beyond what nlohmann
// refuses: a key that occurs twice in one object (it would keep the last), a NUL byte (it would stop
// reading there) and nesting deeper than 16 (ten million brackets would fill the memory).
nlohmann::json parse_json(std::string_view text, const std::string& where);

// A value from a foreign file as it may stand in a one-line message: JSON syntax, control characters
// and whatever is not ASCII escaped, cut after 80 characters.
std::string escaped(const nlohmann::json& value);

}  // namespace gpt2
