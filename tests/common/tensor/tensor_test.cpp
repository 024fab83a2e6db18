#include "common/tensor/tensor.h"

#include <numeric>
#include <optional>

#include "common/ops/ops.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

// Where the elements of x lie in its storage, in row-major order.
std::vector<int64_t> places(const Tensor& x) {
  std::vector<int64_t> places = {x.offset()};
  for (int64_t dim = 0; dim < x.dim(); ++dim) {
    std::vector<int64_t> next;
    for (const int64_t place : places) {
      for (int64_t i = 0; i < x.size(dim); ++i) next.push_back(place + i * x.stride(dim));
    }
    places = next;
  }
  return places;
}

// The view of x in another shape, by trial: what the strides have to be is seen from the second element along
// each dimension; none if they do not give all others.
std::optional<Tensor> view_by_trial(const Tensor& x, const Shape& shape) {
  const std::vector<int64_t> wanted = places(x);
  Shape strides = contiguous_strides(shape);
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    if (shape[dim] > 1) strides[dim] = wanted[size_t(strides[dim])] - wanted[0];
  }
  const Tensor view = x.as_strided(shape, strides, x.offset());
  return places(view) == wanted ? std::optional(view) : std::nullopt;
}

class RandomViews {
 public:
  int64_t below(int64_t n) { return int64_t(generator_()) % n; }

  // A few transpositions and slices of a tensor with up to four dimensions.
  Tensor strided() {
    Shape shape(size_t(below(5)));
    for (int64_t& size : shape) size = 1 + below(4);
    Tensor x = empty(shape);
    for (int64_t i = below(4); i > 0 && x.dim() > 0; --i) {
      const int64_t dim = below(x.dim()), start = below(x.size(dim));
      x = below(2) == 0 ? x.transpose(dim, below(x.dim()))
                        : x.slice(dim, start, 1 + below(x.size(dim) - start));
    }
    return x;
  }

  // Any shape of n elements.
  Shape shape_of(int64_t n) {
    Shape shape;
    while (n > 1 || below(3) == 0) {
      std::vector<int64_t> divisors;
      for (int64_t d = 1; d <= n; ++d) {
        if (n % d == 0) divisors.push_back(d);
      }
      shape.push_back(divisors[size_t(below(int64_t(divisors.size())))]);
      n /= shape.back();
    }
    return shape;
  }

 private:
  std::mt19937 generator_{1337};
};

TEST(TensorView, IsPossibleExactlyWhereStridesWithTheSameElementsExist) {
  RandomViews random;
  int possible = 0, impossible = 0;
  for (int i = 0; i < 30'000; ++i) {
    const Tensor x = random.strided();
    const Shape shape = random.shape_of(x.numel());
    SCOPED_TRACE(to_string(x.shape()) + " with strides " + to_string(x.strides()) + " as " +
                 to_string(shape));
    if (view_by_trial(x, shape)) {
      ++possible;
      const Tensor view = x.view(shape);
      EXPECT_EQ(view.shape(), shape);
      EXPECT_EQ(view.storage(), x.storage());
      ASSERT_EQ(places(view), places(x));
    } else {
      ++impossible;
      const std::string error = error_of([&] { x.view(shape); });
      ASSERT_EQ(error, "view: cannot view " + to_string(x.shape()) + " with strides " +
                           to_string(x.strides()) + " as " + to_string(shape) + "; call contiguous() first");
    }
  }
  EXPECT_GT(possible, 3000);
  EXPECT_GT(impossible, 3000);
}

// Cases of torch's documentation of Tensor.view and around it.
TEST(TensorView, FollowsTorchsRules) {
  const Tensor x = empty({2, 3, 4});
  EXPECT_EQ(x.view({6, 4}).strides(), (Shape{4, 1}));
  EXPECT_EQ(x.view({24}).strides(), Shape{1});
  EXPECT_EQ(x.view({2, 3, 2, 2}).strides(), (Shape{12, 4, 2, 1}));
  const Tensor part = x.slice(2, 1, 2);  // (2, 3, 2) with strides (12, 4, 1)
  EXPECT_EQ(part.view({6, 2}).strides(), (Shape{4, 1}));
  EXPECT_EQ(part.view({2, 3, 1, 2}).view({6, 2}).offset(), 1);
  EXPECT_ERROR(part.view({12}),
               "view: cannot view (2, 3, 2) with strides (12, 4, 1) as (12); call contiguous() first");
  EXPECT_ERROR(x.transpose(0, 1).view({6, 4}),
               "view: cannot view (3, 2, 4) with strides (4, 12, 1) as (6, 4)");
}

TEST(TensorView, FillsInAtMostOneSize) {
  const Tensor x = empty({2, 3, 4});
  EXPECT_EQ(x.view({-1, 4}).shape(), (Shape{6, 4}));
  EXPECT_EQ(x.view({2, -1, 6}).shape(), (Shape{2, 2, 6}));
  EXPECT_EQ(x.view({24, -1}).shape(), (Shape{24, 1}));
  EXPECT_EQ(empty({}).view({-1}).shape(), Shape{1});
  EXPECT_ERROR(x.view({-1, 5}), "view: cannot view (2, 3, 4) as (4, 5)");
  EXPECT_ERROR(x.view({-1, -1, 4}), "view: cannot view (2, 3, 4) as (24, -1, 4)");
  EXPECT_ERROR(x.view({-2, -12}), "view: cannot view (2, 3, 4) as (-2, -12)");
  EXPECT_ERROR(x.view({5, 5}), "view: cannot view (2, 3, 4) as (5, 5)");
}

TEST(TensorView, OfNoElementsIsPossibleInAnyShapeOfNone) {
  EXPECT_EQ(empty({0, 3}).view({3, 0, 2}).shape(), (Shape{3, 0, 2}));
  EXPECT_EQ(empty({2, 3}).slice(1, 1, 0).view({0}).numel(), 0);
}

class TensorTest : public OnEveryDevice {
 protected:
  // 0, 1, 2, ... in this shape.
  Tensor count(const Shape& shape) {
    std::vector<float> values(static_cast<size_t>(numel(shape)));
    std::iota(values.begin(), values.end(), 0.0f);
    return from_vector(values, shape, device());
  }
};

TEST_P(TensorTest, TransposeSwapsTwoDimensions) {
  const Tensor x = count({2, 3, 4});
  EXPECT_EQ(x.transpose(0, 2).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(x.transpose(0, 2).strides(), (Shape{1, 4, 12}));
  EXPECT_EQ(x.transpose(-1, -3).strides(), (Shape{1, 4, 12}));
  EXPECT_EQ(count({2, 3}).transpose(0, 1).to_vector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(x.transpose(1, 1).to_vector<float>(), x.to_vector<float>());
}

TEST_P(TensorTest, SliceAndSplitAreViewsOfAPart) {
  const Tensor x = count({2, 3, 4});
  const Tensor part = x.slice(1, 1, 2);
  EXPECT_EQ(part.shape(), (Shape{2, 2, 4}));
  EXPECT_EQ(part.storage(), x.storage());
  EXPECT_EQ(part.slice(-1, 2, 1).to_vector<float>(), (std::vector<float>{6, 10, 18, 22}));
  EXPECT_EQ(x.slice(0, 2, 0).numel(), 0);
  const auto [left, right] = split<2>(x, -1);
  EXPECT_EQ(right.storage(), x.storage());
  EXPECT_EQ(left.to_vector<float>(), (std::vector<float>{0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21}));
  EXPECT_EQ(right.offset(), 2);
}

TEST_P(TensorTest, ContiguousPutsTheElementsInOrder) {
  const Tensor x = count({2, 3, 4}).transpose(0, 2).slice(0, 1, 3);
  EXPECT_FALSE(x.is_contiguous());
  const Tensor copy = x.contiguous();
  EXPECT_TRUE(copy.is_contiguous());
  EXPECT_EQ(copy.shape(), x.shape());
  std::vector<float> expected;
  for (const int64_t place : places(x)) expected.push_back(float(place));
  EXPECT_EQ(copy.to_vector<float>(), expected);
  EXPECT_EQ(x.to_vector<float>(), expected);
  EXPECT_TRUE(count({3, 1, 4}).transpose(0, 1).is_contiguous());  // a dimension of one may have any stride
}

TEST_P(TensorTest, GoesToTheHostAndBack) {
  const std::vector<int32_t> ids = {3, -1, 50256};
  EXPECT_EQ(from_vector(ids, {3}, device()).to_vector<int32_t>(), ids);
  EXPECT_EQ(from_vector(ids, {3}, device()).dtype(), DType::i32);
  const Tensor x = count({2, 3});
  EXPECT_EQ(x.device(), device());
  EXPECT_EQ(x.to(device()).storage(), x.storage());
  const Tensor host = x.transpose(0, 1).to(kCpu);
  EXPECT_EQ(host.device(), kCpu);
  EXPECT_EQ(host.to(device()).to_vector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(from_vector(std::vector<float>{}, {0, 3}, device()).to_vector<float>(), std::vector<float>{});
}

TEST_P(TensorTest, ItemIsTheValueOfTheOnlyElement) {
  EXPECT_EQ(from_vector(std::vector<float>{2.5}, {}, device()).item(), 2.5f);
  EXPECT_EQ(count({2, 3}).slice(0, 1, 1).slice(1, 2, 1).item(), 5.0f);
  EXPECT_ERROR(count({2, 3}).item(), "item: expected one element, got shape (2, 3)");
  EXPECT_ERROR(count({0}).item(), "item: expected one element, got shape (0)");
}

TEST_P(TensorTest, CopyFillsTheStorageOfTheOther) {
  const Tensor x = count({2, 3}), y = from_vector(std::vector<float>(12, -1), {4, 3}, device());
  copy_(y.slice(0, 1, 2), x);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{-1, -1, -1, 0, 1, 2, 3, 4, 5, -1, -1, -1}));
  EXPECT_ERROR(copy_(y, x), "copy_: cannot copy float32 (2, 3) into float32 (4, 3)");
  EXPECT_ERROR(copy_(x.transpose(0, 1), x), "copy_: cannot copy float32 (2, 3) into float32 (3, 2)");
  EXPECT_ERROR(copy_(x, arange(6, device())), "copy_: cannot copy int32 (6) into float32 (2, 3)");
}

TEST_P(TensorTest, ErrorsPrintTheShapes) {
  const Tensor x = count({2, 3});
  EXPECT_ERROR(x.transpose(0, 2), "dimension 2 does not exist in a tensor of shape (2, 3)");
  EXPECT_ERROR(x.size(-3), "dimension -3 does not exist in a tensor of shape (2, 3)");
  EXPECT_ERROR(x.slice(1, 2, 2), "slice: 2 to 4 is not a range of dimension 1 of (2, 3)");
  EXPECT_ERROR(x.slice(0, -1, 2), "slice: -1 to 1 is not a range of dimension 0 of (2, 3)");
  EXPECT_ERROR(x.slice(0, 1, -1), "slice: 1 to 0 is not a range of dimension 0 of (2, 3)");
  EXPECT_ERROR(x.sizes<3>(), "expected 3 dimensions, got (2, 3)");
  EXPECT_ERROR(x.data<int32_t>(), "expected int32 elements, got float32");
  EXPECT_ERROR(x.to_vector<int32_t>(), "expected int32 elements, got float32");
  EXPECT_ERROR(from_vector(std::vector<float>(5), {2, 3}, device()),
               "from_vector: 5 values for shape (2, 3)");
  EXPECT_ERROR(empty({2, -3}, device()), "empty: negative size in (2, -3)");
}

INSTANTIATE_ON_EVERY_DEVICE(TensorTest);

TEST(Empty, AShapeThatOverflowsIsAnError) {
  const int64_t large = int64_t{1} << 40;
  for (const Shape& shape : {Shape{large, large}, Shape{large, 256, 50257}, Shape{large, 1 << 23},
                             Shape{INT64_MAX, 2}, Shape{INT64_MAX}}) {
    for (const Device device : {kCpu, kMeta})
      EXPECT_ERROR(empty(shape, device), to_string(shape) + " has more elements than memory has addresses");
  }
  EXPECT_EQ(empty({large, 256}, kMeta).numel(), large * 256);
}

}  // namespace
}  // namespace gpt2::testing
