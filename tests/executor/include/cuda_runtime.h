// Stands in for the CUDA Toolkit's header of this name: first on the include path, it turns CUDA kernels into
// C++ functions that tests/executor runs on the CPU, and the CUDA runtime into plain memory and calls.
//
// since 01_module
#pragma once

#include "tests/executor/intrinsics.h"
#include "tests/executor/language.h"
#include "tests/executor/ptx.h"
#include "tests/executor/runtime.h"
