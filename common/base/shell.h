// Paths in advice: a command that a message prints must work when it is pasted into a shell.
//
// since 02_hf_weights
#pragma once

#include <string>

namespace gpt2 {

// Returns `text` as one word of a shell's command line: as it is if it has no special characters, else in
// single quotes. A path that begins with - gets ./ in front, so that no command takes it for a flag.
std::string shell_word(const std::string& text);

}  // namespace gpt2
