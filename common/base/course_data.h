// What `./course data NAME` downloads: error messages about a missing file say which NAME to use.
//
// since 02_hf_weights
#pragma once

#include <string>

namespace gpt2 {

// Returns the end of an error message about a missing `path`: "; ./course data gpt2 downloads data/gpt2". In
// another working directory than the repository, it adds where to run the command. Empty if ./course data does
// not download `path`. `path` is a file, a pattern or a folder below data/NAME, or just a name.
std::string how_to_download(const std::string& path);

// Returns `path` itself if it exists in the working directory, otherwise the same path in the repository that
// this program was built in, if it exists there: so data/gpt2 works from any working directory. `path` may be
// a shell pattern.   since 13_fineweb
std::string in_repository(const std::string& path);

}  // namespace gpt2
