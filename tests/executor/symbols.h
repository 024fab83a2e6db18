// The name of a function from its address, for the executor's messages.
//
// since 01_module
#pragma once

#include <string>

namespace executor {

// Returns the demangled name, "gpt2::cuda::gelu_kernel<float>(float*, float const*, long)"; "?" if the
// program is stripped.
std::string function_name(const void* address);

}  // namespace executor
