// The tests of an exercise: test.cpp is compiled twice from one text.
//
// The runner is linked with the student's code. It draws the inputs, evaluates what STUDENT(...) encloses, and writes
// the values to a file. The checker has no student's code. It draws the same inputs from the same seed, reads the
// values where the runner evaluated them, and compares them with an oracle that the runner does not have. So a
// program that exits early, crashes or prints nonsense has no values and passes nothing.
//
//   CASE("rows sum to one") {
//     for (const int64_t T : {1, 7, 33}) {
//       WITH("T = {}", T);
//       const auto x = draw.uniform(T, -4, 4);
//       const auto y = STUDENT(softmax(x));
//       CHECK_CLOSE(sum(y), 1.0, 1e-6, "the probabilities of a row must sum to 1");
//     }
//   }
//
// In a case: draw everything from `draw` and before or after the checks, never inside one, since the runner skips
// CHECKs and their arguments. The names of the cases are those in exercise.json, which also has their points.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace gpt2 {
class Tensor;
}

namespace exercise {

// ---- inputs

// Random inputs; the same ones for the same seed and case, in runner and checker.
class Draw {
 public:
  Draw(uint64_t seed, const std::string& name) {
    uint64_t hash = 14695981039346656037u ^ seed * 0x9e3779b97f4a7c15u;
    for (const char c : name) hash = (hash ^ uint8_t(c)) * 1099511628211u;
    bits_.seed(hash);
  }

  double number(double low, double high) { return low + (high - low) * double(bits_() >> 11) * 0x1p-53; }
  int64_t integer(int64_t low, int64_t high) {  // both included
    return low + int64_t(bits_() % uint64_t(high - low + 1));
  }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[integer(0, int64_t(values.size()) - 1)];
  }
  std::vector<float> uniform(int64_t n, double low, double high) {
    return fill<float>(n, [&] { return number(low, high); });
  }
  std::vector<float> normal(int64_t n, double mean = 0, double deviation = 1) {
    return fill<float>(n, [&] {
      return mean +
             deviation * std::sqrt(-2 * std::log(1 - number(0, 1))) * std::cos(2 * M_PI * number(0, 1));
    });
  }
  std::vector<int32_t> ids(int64_t n, int64_t vocab) {
    return fill<int32_t>(n, [&] { return integer(0, vocab - 1); });
  }
  std::vector<int64_t> permutation(int64_t n) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = n - 1; i > 0; --i) std::swap(order[size_t(i)], order[size_t(integer(0, i))]);
    return order;
  }

 private:
  template <class T, class Next>
  std::vector<T> fill(int64_t n, const Next& next) {
    std::vector<T> values(static_cast<size_t>(n));
    for (T& value : values) value = T(next());
    return values;
  }

  std::mt19937_64 bits_;
};

// The student's id, for exercises of kind T: tasks that only this student has.
inline std::string student_id() {
  const char* id = std::getenv("STUDENT");
  return id == nullptr ? "" : id;
}

// Draws what belongs to the student, the same in every run: draw_of_student("symbols").
inline Draw draw_of_student(const std::string& what) { return {0, what + " " + student_id()}; }

// ---- values on their way from the runner to the checker: numbers, strings, vectors, pairs, tuples of these;
//      tensors.h adds tensors

using Bytes = std::string;

struct Reader {
  Bytes bytes;
  size_t at = 0;
  void read(void* to, size_t n) {
    if (n > bytes.size() - at) throw std::runtime_error("a value is cut off");
    std::memcpy(to, bytes.data() + at, n);
    at += n;
  }
};

inline void put(Bytes& to, const gpt2::Tensor& x);  // tensors.h
inline void get(Reader& from, gpt2::Tensor& x);
inline std::vector<double> doubles(const gpt2::Tensor& x);

template <class T>
concept Plain = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

// Declared first, so that each can contain the others: a vector of pairs of vectors.
template <class T>
void put(Bytes& to, const std::vector<T>& values);
template <class T>
void get(Reader& from, std::vector<T>& values);
template <class... T>
void put(Bytes& to, const std::tuple<T...>& values);
template <class... T>
void get(Reader& from, std::tuple<T...>& values);
template <class A, class B>
requires(!Plain<std::pair<A, B>>) void put(Bytes& to, const std::pair<A, B>& values);
template <class A, class B>
requires(!Plain<std::pair<A, B>>) void get(Reader& from, std::pair<A, B>& values);

template <Plain T>
void put(Bytes& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <Plain T>
void get(Reader& from, T& value) {
  from.read(&value, sizeof value);
}
inline void put(Bytes& to, const std::string& text) {
  put(to, uint64_t(text.size()));
  to += text;
}
inline void get(Reader& from, std::string& text) {
  uint64_t n = 0;
  get(from, n);
  text.resize(std::min(n, uint64_t(from.bytes.size())));
  from.read(text.data(), n);
}
template <class T>
void put(Bytes& to, const std::vector<T>& values) {
  put(to, uint64_t(values.size()));
  for (const T& value : values) put(to, value);
}
template <class T>
void get(Reader& from, std::vector<T>& values) {
  uint64_t n = 0;
  get(from, n);
  values.resize(std::min(n, uint64_t(from.bytes.size() + 1)));
  for (T& value : values) get(from, value);
}
template <class... T>
void put(Bytes& to, const std::tuple<T...>& values) {
  std::apply([&](const T&... each) { (put(to, each), ...); }, values);
}
template <class... T>
void get(Reader& from, std::tuple<T...>& values) {
  std::apply([&](T&... each) { (get(from, each), ...); }, values);
}
template <class A, class B>
requires(!Plain<std::pair<A, B>>) void put(Bytes& to, const std::pair<A, B>& values) {
  put(to, values.first), put(to, values.second);
}
template <class A, class B>
requires(!Plain<std::pair<A, B>>) void get(Reader& from, std::pair<A, B>& values) {
  get(from, values.first), get(from, values.second);
}

// ---- what main.cpp provides

struct Case {
  const char* name;
  void (*body)(Draw& draw);
};
std::vector<Case>& cases();
struct Register {
  Register(const char* name, void (*body)(Draw&)) { cases().push_back({name, body}); }
};

void send(const char* type, const Bytes& value);  // the runner's: appends a value to its output
void send_error(const std::string& message);      // the runner's: the student's code threw; ends the case
Bytes receive(const char* type);                  // the checker's: the next value; fails if there is none

// A check that failed: the message for the student.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void set_context(const std::string& text);  // stands before the messages from here on: "T = 7"
[[noreturn]] void fail(const std::string& message);

// ---- checks

inline std::vector<double> doubles(double value) { return {value}; }
template <class T>
std::vector<double> doubles(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

struct Difference {
  size_t index = 0;
  double actual = 0, expected = 0;
};

// The largest difference beyond tolerance * max |expected|, if there is one; NaN differs from everything. Sizes must be
// equal.
inline bool find_difference(const std::vector<double>& actual, const std::vector<double>& expected,
                            double tolerance, Difference* found) {
  double scale = 0, worst = 0;
  for (const double value : expected) {
    if (std::isfinite(value)) scale = std::max(scale, std::abs(value));
  }
  bool differs = false;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = actual[i] == expected[i] ? 0 : std::abs(actual[i] - expected[i]);
    if (error <= tolerance * scale) continue;
    if (differs && !(error > worst)) continue;
    differs = true;
    worst = error;
    *found = {i, actual[i], expected[i]};
    if (std::isnan(error)) break;
  }
  return differs;
}

// Whether all values agree within tolerance * max |expected|: to recognise a mistake that has a name.
template <class A, class B>
bool close(const A& actual, const B& expected, double tolerance) {
  const auto a = doubles(actual), b = doubles(expected);
  Difference ignored;
  return a.size() == b.size() && !find_difference(a, b, tolerance, &ignored);
}

template <class A, class B>
void check_close(const A& actual, const B& expected, double tolerance, const std::string& message) {
  const auto a = doubles(actual), b = doubles(expected);
  if (a.size() != b.size()) fail(fmt::format("{} ({} values, expected {})", message, a.size(), b.size()));
  Difference d;
  if (!find_difference(a, b, tolerance, &d)) return;
  const std::string where = a.size() == 1 ? "" : fmt::format("value {}: ", d.index);
  fail(fmt::format("{} ({}got {:.8g}, expected {:.8g})", message, where, d.actual, d.expected));
}

#define EXERCISE_JOIN2(a, b) a##b
#define EXERCISE_JOIN(a, b) EXERCISE_JOIN2(a, b)

#define CASE(name)                                                                                      \
  static void EXERCISE_JOIN(case_, __LINE__)(::exercise::Draw & draw);                                  \
  static const ::exercise::Register EXERCISE_JOIN(register_, __LINE__)(name,                            \
                                                                       EXERCISE_JOIN(case_, __LINE__)); \
  static void EXERCISE_JOIN(case_, __LINE__)([[maybe_unused]] ::exercise::Draw & draw)

// Names the inputs at hand; it stands before the messages that follow.
#define WITH(...) ::exercise::set_context(::fmt::format(__VA_ARGS__))

// The value of an expression that calls the student's code. If the code throws, the case fails.
#define STUDENT(...) ::exercise::student([&] { return __VA_ARGS__; })

// The message of the gpt2::Error that the expression throws, or "" if it throws none.
#define STUDENT_ERROR(...) ::exercise::student_error([&] { (void)(__VA_ARGS__); })

#ifdef EXERCISE_RUNNER

template <class Evaluate>
auto student(const Evaluate& evaluate) {
  using T = std::decay_t<decltype(evaluate())>;
  try {
    T value = evaluate();
    Bytes bytes;
    put(bytes, value);
    send(typeid(T).name(), bytes);
    return value;
  } catch (const std::exception& error) {
    send_error(error.what());
    throw;
  }
}

template <class Evaluate>
std::string student_error(const Evaluate& evaluate) {
  std::string message;
  try {
    evaluate();
  } catch (const std::exception& error) {
    message = *error.what() == '\0' ? "an error without a message" : error.what();
  }
  Bytes bytes;
  put(bytes, message);
  send("error", bytes);
  return message;
}

#define CHECK(condition, ...) static_cast<void>(0)
#define CHECK_CLOSE(actual, expected, tolerance, ...) static_cast<void>(0)
#define CHECK_EQUAL(actual, expected, ...) static_cast<void>(0)

#else

template <class Evaluate>
auto student(const Evaluate&) {
  using T = std::decay_t<std::invoke_result_t<Evaluate>>;
  T value{};
  Reader reader{receive(typeid(T).name())};
  get(reader, value);
  return value;
}

template <class Evaluate>
std::string student_error(const Evaluate&) {
  std::string message;
  Reader reader{receive("error")};
  get(reader, message);
  return message;
}

// CHECK(condition, "message {}", ...): the message says what is wrong in the student's terms, and what to look at.
#define CHECK(condition, ...)                                       \
  do {                                                              \
    if (!(condition)) ::exercise::fail(::fmt::format(__VA_ARGS__)); \
  } while (false)

// Numbers or vectors agree within tolerance * max |expected|; fails on NaN.
#define CHECK_CLOSE(actual, expected, tolerance, ...) \
  ::exercise::check_close(actual, expected, tolerance, ::fmt::format(__VA_ARGS__))

// Numbers or vectors of numbers are equal.
#define CHECK_EQUAL(actual, expected, ...) CHECK_CLOSE(actual, expected, 0, __VA_ARGS__)

#endif

}  // namespace exercise

using exercise::close;
