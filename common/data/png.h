// PNG images, 8 bits per channel: `02_hf_weights --explore` draws the position embeddings.
//
// since 02_hf_weights
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace gpt2 {

// Whether this build has libpng.
#ifdef GPT2_HAVE_PNG
inline constexpr bool kCanWritePng = true;
#else
inline constexpr bool kCanWritePng = false;
#endif

enum class PngColor { kGrey = 1, kRgb = 3 };  // the value is the number of bytes per pixel

// Writes height * width pixels, row by row from the top, all or nothing. Throws without libpng.
void write_png(const std::string& path, int64_t width, int64_t height, PngColor color,
               std::span<const uint8_t> pixels);

}  // namespace gpt2
