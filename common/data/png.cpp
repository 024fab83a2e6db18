#include "common/data/png.h"

#ifdef GPT2_HAVE_PNG
#include <png.h>
#endif

#include <vector>

#include "common/base/error.h"
#include "common/base/file.h"

namespace gpt2 {

namespace {

// The bytes of the file.
#ifdef GPT2_HAVE_PNG
std::vector<std::byte> encode(const std::string& path, int64_t width, int64_t height, PngColor color,
                              std::span<const uint8_t> pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = color == PngColor::kRgb ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t length = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> file(length);
  const int ok =
      png_image_write_to_memory(&image, file.data(), &length, /*convert_to_8_bit=*/0, pixels.data(),
                                /*row_stride=*/0, /*colormap=*/nullptr);
  require(ok != 0, "{}: cannot make the picture: {}", path, image.message);
  file.resize(length);
  return file;
}
#else
std::vector<std::byte> encode(const std::string& path, int64_t, int64_t, PngColor, std::span<const uint8_t>) {
  fail("{}: this build has no libpng to draw it; install libpng-dev and build again", path);
}
#endif

}  // namespace

void write_png(const std::string& path, int64_t width, int64_t height, PngColor color,
               std::span<const uint8_t> pixels) {
  constexpr int64_t kMaxSide = 16384;  // keeps libpng's 32-bit sizes from overflowing
  const auto in_range = [](int64_t side) { return side >= 1 && side <= kMaxSide; };
  require(in_range(width) && in_range(height), "{}: a picture of {} x {} pixels; each side is from 1 to {}",
          path, width, height, kMaxSide);
  const int64_t size = width * height * static_cast<int64_t>(color);
  require(size == static_cast<int64_t>(pixels.size()),
          "{}: {} bytes are no picture of {} x {} pixels of {} bytes", path, pixels.size(), width, height,
          static_cast<int>(color));

  // Encodes into memory first, so that the file can be written all or nothing.
  const std::vector<std::byte> file = encode(path, width, height, color, pixels);
  AtomicFile output(path);
  output.write(file);
  output.commit();
}

}  // namespace gpt2
