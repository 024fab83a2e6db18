// What `./course data NAME` downloads, for the errors of programs that do not find it.
//
// since 02_hf_weights
#pragma once

#include <string>

namespace gpt2 {

// The end of an error about a missing `path`: "; ./course data gpt2 downloads data/gpt2". Empty if ./course data
// does not download what `path` names. `path` is a file, a pattern or a folder below data/NAME, or just a name.
std::string how_to_download(const std::string& path);

// `path` itself if it names something in the working directory, and otherwise the same path in the repository
// that this program was built in, if it is there: data/gpt2 works from any working directory. `path` may be a
// pattern of the shell.   since 13_fineweb
std::string in_repository(const std::string& path);

}  // namespace gpt2
