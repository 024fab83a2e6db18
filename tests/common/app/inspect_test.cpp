#include "common/app/inspect.h"

#include <cmath>
#include <limits>

#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

TEST(FiniteValues, AreThoseOfTheTensorUnlessOneIsNot) {
  const std::vector<float> values = {0, -1, 3e38f};
  EXPECT_EQ(app::finite_values(from_vector(values, {1, 1, 3})), values);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& [bad, name] :
       {std::pair(kInfinity, "inf"), {-kInfinity, "-inf"}, {std::nanf(""), "nan"}, {-std::nanf(""), "nan"}}) {
    for (const size_t at : {size_t{0}, size_t{2}}) {
      std::vector<float> damaged = values;
      damaged[at] = bad;
      EXPECT_ERROR(app::finite_values(from_vector(damaged, {1, 1, 3})),
                   fmt::format("the model's output is not finite: logit {} is {};", at, name));
    }
  }
}

TEST(Explore, NeverReplacesAFileThatIsNoPicture) {
  const TempDir dir;
  put_file(dir / "wpe.png", "a text");
  EXPECT_ERROR(app::explore(dir.path(), dir / "wpe.png"),
               "wpe.png: the file exists and is not a PNG picture");
}

}  // namespace
}  // namespace gpt2::testing
