#include "broken.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/exercises/device.h"

// ---- how many statements were changed

namespace {

constexpr size_t kStatements = 2;  // that may be changed in each kernel

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The starter of the exercise's source: of the regions, the lines behind //|. A text without regions is not changed.
std::string starter_of(const std::string& text) {
  std::string result, line;
  bool in_solution = false;
  for (std::istringstream lines(text); std::getline(lines, line);) {
    const auto marker = line.find("//@"), stub = line.find("//| ");
    if (marker != std::string::npos) {
      in_solution = line.find("//@solution") != std::string::npos;
    } else if (!in_solution) {
      result += (stub == std::string::npos ? line : line.substr(stub + 4)) + "\n";
    }
  }
  return result;
}

// From one heading to the next; kernel 0 is what stands before the first one.
std::string section(const std::string& text, int kernel) {
  const auto begin = kernel == 0 ? 0 : text.find(fmt::format("// ---- {}\n", kernel));
  if (begin == std::string::npos) fail(fmt::format("broken.cu has no heading '// ---- {}' any more", kernel));
  const auto end = text.find("// ---- ", begin + 1);
  return text.substr(begin, end == std::string::npos ? end : end - begin);
}

// Without comments and blanks, split behind each ; { and }.
std::vector<std::string> statements(const std::string& text) {
  std::vector<std::string> result(1);
  std::string line;
  for (std::istringstream lines(text); std::getline(lines, line);) {
    for (const char c : line.substr(0, line.find("//"))) {
      if (std::isspace(static_cast<unsigned char>(c)) == 0) result.back() += c;
      if (c == ';' || c == '{' || c == '}') result.emplace_back();
    }
  }
  return result;
}

// The statements beyond the longest common subsequence.
size_t difference(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::vector<size_t>> common(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < b.size(); ++j) {
      common[i + 1][j + 1] = a[i] == b[j] ? common[i][j] + 1 : std::max(common[i][j + 1], common[i + 1][j]);
    }
  }
  return std::max(a.size(), b.size()) - common.back().back();
}

size_t changed(int kernel) {
  const std::string original = starter_of(read(std::string(std::getenv("EXERCISE_FOLDER")) + "/broken.cu"));
  return difference(statements(section(original, kernel)), statements(section(read("broken.cu"), kernel)));
}

void check_changes(int kernel) {
  CHECK(changed(0) == 0, "what stands before the first kernel must stay as it is");
  CHECK(changed(kernel) <= kStatements,
        "the kernel is right, but {} of its statements were changed, and {} are enough: start from the "
        "original again "
        "(./course exercise reset 05.4)",
        changed(kernel), kStatements);
}

// ---- the kernels

// f(y, x) on the device; y has n values.
template <class F>
std::vector<float> result_of(int64_t n, const std::vector<float>& x, const F& f) {
  const OnDevice<float> in(x), out(n);
  f(out, in);
  return out.values();
}

// f(row) for each row, one after the other.
template <class F>
Values by_row(const std::vector<float>& x, int64_t cols, const F& f) {
  Values result;
  for (auto row = x.begin(); row < x.end(); row += cols) {
    const Values values = f(Values(row, row + cols));
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

double sum_of(const Values& row) { return std::accumulate(row.begin(), row.end(), 0.0); }

}  // namespace

CASE("scale") {
  for (const int64_t n : {draw.integer(65, 500), int64_t{64}, int64_t{1}}) {
    WITH("kernel 1, n = {}", n);
    const auto x = draw.uniform(n, -2, 2);
    const auto y =
        STUDENT(result_of(n, x, [&](float* out, const float* in) { scale(kStream, out, in, 2.5f, n); }));
    Values expected(x.begin(), x.end());
    for (double& value : expected) value *= 2.5;
    CHECK_CLOSE(y, expected, 1e-6, "y must be a * x");
  }
  check_changes(1);
}

CASE("add") {
  for (const int64_t n : {int64_t{30}, draw.integer(129, 500)}) {
    WITH("kernel 2, n = {}", n);
    const auto a = draw.uniform(n, -2, 2), b = draw.uniform(n, -2, 2);
    const auto y = STUDENT([&] {
      const OnDevice<float> second(b);
      return result_of(n, a, [&](float* out, const float* in) { add(kStream, out, in, second, n); });
    }());
    Values expected(a.begin(), a.end());
    for (size_t i = 0; i < b.size(); ++i) expected[i] += b[i];
    CHECK_CLOSE(y, expected, 1e-6, "y must be a + b");
  }
  check_changes(2);
}

CASE("row sum") {
  for (const int64_t cols : {int64_t{1}, draw.integer(65, 300)}) {
    const int64_t rows = draw.integer(1, 3);
    WITH("kernel 3, {} x {}", rows, cols);
    const auto x = draw.uniform(rows * cols, -2, 2);
    const auto y = STUDENT(
        result_of(rows, x, [&](float* out, const float* in) { row_sum(kStream, out, in, rows, cols); }));
    CHECK_CLOSE(y, by_row(x, cols, [](const Values& row) { return Values{sum_of(row)}; }), 1e-5,
                "a row's sum is wrong");
  }
  check_changes(3);
}

CASE("row max") {
  for (const double center : {0.0, -10.0, -1e30}) {
    const int64_t rows = draw.integer(2, 4), cols = draw.integer(1, 100);
    WITH("kernel 4, {} x {}, values around {}", rows, cols, center);
    auto x = draw.uniform(rows * cols, -2, 2);
    for (float& value : x) value = float(center + value * std::max(1.0, std::abs(center) / 10));
    const auto y = STUDENT(
        result_of(rows, x, [&](float* out, const float* in) { row_max(kStream, out, in, rows, cols); }));
    const auto expected =
        by_row(x, cols, [](const Values& row) { return Values{*std::max_element(row.begin(), row.end())}; });
    CHECK(std::find_first_of(y.begin(), y.end(), x.begin(), x.end()) != y.end(),
          "the largest values come out as {}, which none of the rows has: where does the search begin?",
          y[0]);
    CHECK_EQUAL(y, expected, "a row's largest value is wrong");
  }
  check_changes(4);
}

CASE("differences") {
  for (const int64_t n : {draw.integer(65, 127), int64_t{1}, int64_t{64}, draw.integer(129, 400)}) {
    WITH("kernel 5, n = {}", n);
    const auto x = draw.uniform(n, -2, 2);
    const auto y =
        STUDENT(result_of(n, x, [&](float* out, const float* in) { differences(kStream, out, in, n); }));
    Values expected(x.begin(), x.end());
    std::adjacent_difference(x.begin(), x.end(), expected.begin());
    CHECK_CLOSE(y, expected, 1e-6, "y[i] must be x[i] - x[i - 1]");
  }
  check_changes(5);
}

CASE("center") {
  for (const int64_t cols : {draw.integer(33, 100), int64_t{1}, int64_t{7}}) {
    const int64_t rows = draw.integer(1, 3);
    WITH("kernel 6, {} x {}", rows, cols);
    const auto x = draw.uniform(rows * cols, 1, 5);
    const auto y = STUDENT(result_of(
        rows * cols, x, [&](float* out, const float* in) { center(kStream, out, in, rows, cols); }));
    const auto expected = by_row(x, cols, [](Values row) {
      const double mean = sum_of(row) / double(row.size());
      for (double& value : row) value -= mean;
      return row;
    });
    CHECK(std::abs(y[0] - expected[0]) > 1e-4 || close(y, expected, 1e-5),
          "the first value of the row is right and others are not: do all lanes know the sum of the row?");
    CHECK_CLOSE(y, expected, 1e-5, "y must be x minus the mean of its row");
  }
  check_changes(6);
}

CASE("pad rows") {
  for (const int64_t cols : {int64_t{8}, 4 * draw.integer(2, 30) + draw.integer(1, 3), int64_t{1}}) {
    const int64_t rows = draw.integer(2, 4), padded = (cols + 3) / 4 * 4 + 4 * draw.integer(0, 2);
    WITH("kernel 7, {} x {} padded to {}", rows, cols, padded);
    const auto x = draw.uniform(rows * cols, 1, 2);
    const auto y = STUDENT(result_of(rows * padded, x, [&](float* out, const float* in) {
      pad_rows(kStream, out, in, rows, cols, padded);
    }));
    const auto expected = by_row(x, cols, [&](Values row) {
      row.resize(size_t(padded));
      return row;
    });
    CHECK_EQUAL(y, expected, "y must be the row and zeros behind it");
  }
  check_changes(7);
}

CASE("softmax") {
  for (const int64_t cols : {draw.integer(65, 200), int64_t{1}}) {
    const int64_t rows = draw.integer(1, 3);
    WITH("kernel 8, {} x {}", rows, cols);
    const auto x = draw.normal(rows * cols, 50, 20);
    const auto y = STUDENT(result_of(
        rows * cols, x, [&](float* out, const float* in) { softmax(kStream, out, in, rows, cols); }));
    const auto expected = by_row(x, cols, [](Values row) {
      for (double& value : row) value = std::exp(value - 50);
      const double sum = sum_of(row);
      for (double& value : row) value /= sum;
      return row;
    });
    CHECK_CLOSE(y, expected, 1e-5, "y must be the softmax of its row");
  }
  check_changes(8);
}
