// Given: how much memory a piece of work needs.
#pragma once

#include <cstdint>
#include <functional>

// The most bytes from new, which std::vector calls too, that existed at once in `work`.
int64_t peak_of_new(const std::function<void()>& work);
