#include "common/data/png.h"

#include <gtest/gtest.h>
#ifdef GPT2_HAVE_PNG
#include <png.h>
#endif

#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::TempDir;

std::vector<uint8_t> ramp(size_t size) {
  std::vector<uint8_t> pixels(size);
  for (size_t i = 0; i < size; ++i) pixels[i] = static_cast<uint8_t>(i * 37);
  return pixels;
}

#ifdef GPT2_HAVE_PNG

// The pixels of a picture file, in `format`.
std::vector<uint8_t> decode(const std::string& path, png_uint_32 format, int64_t width, int64_t height) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << image.message;
  EXPECT_EQ(image.format, format);  // as it is stored: no conversion on the way
  EXPECT_EQ(image.width, width);
  EXPECT_EQ(image.height, height);
  std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(image));
  EXPECT_NE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr), 0) << image.message;
  return pixels;
}

TEST(Png, GreyPixelsAreReadBack) {
  const TempDir dir;
  for (const auto& [width, height] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {7, 3}, {64, 1024}}) {
    const auto pixels = ramp(static_cast<size_t>(width * height));
    write_png(dir / "a.png", width, height, PngColor::kGrey, pixels);
    EXPECT_EQ(decode(dir / "a.png", PNG_FORMAT_GRAY, width, height), pixels);
  }
  EXPECT_EQ(dir.names(), std::vector<std::string>{"a.png"});
}

TEST(Png, ColoursAreReadBack) {
  const TempDir dir;
  const auto pixels = ramp(5 * 3 * 3);
  write_png(dir / "a.png", 5, 3, PngColor::kRgb, pixels);
  EXPECT_EQ(decode(dir / "a.png", PNG_FORMAT_RGB, 5, 3), pixels);
}

#else

TEST(Png, WithoutLibpngTheMessageNamesTheRemedy) {
  const TempDir dir;
  EXPECT_ERROR(write_png(dir / "a.png", 4, 3, PngColor::kGrey, ramp(12)),
               "install libpng-dev and build again");
  EXPECT_TRUE(dir.names().empty());
}

#endif

TEST(Png, SizesThatDoNotFitAreRefused) {
  const TempDir dir;
  const auto pixels = ramp(12);
  const std::string path = dir / "a.png";
  EXPECT_ERROR(write_png(path, 3, 3, PngColor::kGrey, pixels),
               path + ": 12 bytes are no picture of 3 x 3 pixels");
  EXPECT_ERROR(write_png(path, 3, 4, PngColor::kRgb, pixels),
               path + ": 12 bytes are no picture of 3 x 4 pixels");
  EXPECT_ERROR(write_png(path, 0, 4, PngColor::kGrey, {}), path + ": a picture of 0 x 4 pixels");
  EXPECT_ERROR(write_png(path, 12, -1, PngColor::kGrey, pixels), path + ": a picture of 12 x -1 pixels");
  EXPECT_ERROR(write_png(path, 1 << 20, 1, PngColor::kGrey, pixels), "each side is from 1 to 16384");
  EXPECT_TRUE(dir.names().empty());
}

}  // namespace
}  // namespace gpt2
