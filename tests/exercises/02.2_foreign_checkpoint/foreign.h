#pragma once

#include "model.h"

// The parameters of our GPT-2 for the tensors of a foreign file, which README.md describes.
Tensors from_foreign(const Tensors& file, int64_t n_head);
