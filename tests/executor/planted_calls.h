// Calls of common's host code that a planted bug leaves out. orders.cpp is linked with copies of these files in which
// the calls go by way of here (CMakeLists.txt); without a bug they go on to the executor.
//
// since 12_ddp
#pragma once

#include <string>

namespace planted {

inline std::string bug;  // empty: none

// Whether there is a bug of this name.
bool exists(const std::string& name);

}  // namespace planted
