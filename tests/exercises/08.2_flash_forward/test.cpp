#include "flash.h"
#include "tests/exercises/device.h"

namespace {

constexpr int64_t kChannels = 48, kQueries = 64, kKeys = 32;
constexpr int64_t kRowBytes = kChannels * 4;

struct Attention {
  int64_t heads, T;
  std::vector<float> q, k, v, scales;
};

Attention random_attention(Draw& draw, int64_t heads, int64_t T, double size = 1) {
  const int64_t n = heads * T * kChannels;
  return {
      heads, T, draw.normal(n, 0, size), draw.normal(n), draw.normal(n), draw.uniform(heads * T, -0.5, 0.5)};
}

std::vector<float> flash_of(const Attention& a) {
  const OnDevice<float> q(a.q), k(a.k), v(a.v), scales(a.scales), y(int64_t(a.q.size()));
  flash_forward(kStream, y, q, k, v, scales, a.heads, a.T);
  return y.values();
}

// All scores of a query first, then their softmax, then the sum. scale(t, j) is that of the query, or a mistake.
template <class Scale>
Values attention(const Attention& a, const Scale& scale) {
  Values y;
  for (int64_t head = 0; head < a.heads; ++head) {
    const auto row = [&](const std::vector<float>& x, int64_t t) {
      return x.begin() + (head * a.T + t) * kChannels;
    };
    for (int64_t t = 0; t < a.T; ++t) {
      Values scores;
      for (int64_t j = 0; j <= t; ++j) {
        const double product = std::inner_product(row(a.q, t), row(a.q, t) + kChannels, row(a.k, j), 0.0);
        scores.push_back(scale(head * a.T + t, head * a.T + j) * product);
      }
      const double largest = *std::max_element(scores.begin(), scores.end());
      double sum = 0;
      for (double& score : scores) sum += score = std::exp(score - largest);
      for (int64_t c = 0; c < kChannels; ++c) {
        double value = 0;
        for (int64_t j = 0; j <= t; ++j) value += scores[size_t(j)] / sum * double(row(a.v, j)[c]);
        y.push_back(value);
      }
    }
  }
  return y;
}

Values oracle(const Attention& a) {
  return attention(a, [&](int64_t query, int64_t) { return double(a.scales[size_t(query)]); });
}

// The bytes that the kernel must read if block i reads `tiles(i)` tiles of keys and of values.
template <class Tiles>
int64_t bytes_read(const Attention& a, const Tiles& tiles) {
  int64_t bytes = a.T * (kRowBytes + 16);  // queries, and scales a few times
  for (int64_t block = 0; block * kQueries < a.T; ++block)
    bytes += 2 * std::min(tiles(block) * kKeys, a.T) * kRowBytes;
  return bytes * a.heads;
}

}  // namespace

CASE("values") {
  for (const int64_t T : {draw.integer(130, 200), int64_t{1}, int64_t{63}, int64_t{65}}) {
    const int64_t heads = T < 64 ? 3 : 1;
    WITH("{} heads, T = {}", heads, T);
    const auto a = random_attention(draw, heads, T);
    const auto y = STUDENT(flash_of(a));
    const auto usual = attention(a, [](int64_t, int64_t) { return 1 / std::sqrt(double(kChannels)); });
    const auto of_key = attention(a, [&](int64_t, int64_t key) { return double(a.scales[size_t(key)]); });
    CHECK(T == 1 || !close(y, usual, 1e-5),
          "the scores are divided by sqrt(48): here each query has its own scale");
    CHECK(T == 1 || !close(y, of_key, 1e-5),
          "scores are scaled with the key's scale: the query's is asked for");
    CHECK_CLOSE(y, oracle(a), 1e-5,
                "this is not the attention's result; when a larger score comes, are both sums corrected?");
  }
}

CASE("large scores") {
  const int64_t T = draw.integer(65, 100);
  WITH("T = {}, scores up to 1000 and more", T);
  const auto a = random_attention(draw, 1, T, 200);
  const auto y = STUDENT(flash_of(a));
  CHECK(std::all_of(y.begin(), y.end(), [](float value) { return std::isfinite(value); }),
        "y is not finite: exp overflows at 89, so the largest score so far is subtracted before");
  CHECK_CLOSE(y, oracle(a), 1e-3,
              "this is not the attention's result");  // scores of 1000 have 4 digits behind the point
}

CASE("the future is not seen") {
  const int64_t T = draw.integer(70, 100), now = draw.integer(20, 60);
  WITH("T = {}, NaN in the keys and values from position {} on", T, now);
  auto a = random_attention(draw, 1, T);
  const auto before = STUDENT(flash_of(a));
  CHECK_CLOSE(before, oracle(a), 1e-5, "this is not the attention's result");
  std::fill(a.k.begin() + now * kChannels, a.k.end(), NAN);
  std::fill(a.v.begin() + now * kChannels, a.v.end(), NAN);
  const auto after = STUDENT(flash_of(a));
  const auto changed =
      std::mismatch(before.begin(), before.begin() + now * kChannels, after.begin()).first - before.begin();
  CHECK(changed == now * kChannels,
        "y of position {} changes: a score that is masked must not take part at all, since 0 * NaN is NaN",
        changed / kChannels);
}

CASE("no T x T matrix") {
  const auto a = random_attention(draw, 1, draw.integer(130, 140));
  WITH("T = {}", a.T);
  const auto [y, counts] = STUDENT(traced([&] { return flash_of(a); }));
  CHECK_CLOSE(y, oracle(a), 1e-5, "this is not the attention's result");
  CHECK(counts.launches == 1, "{} kernels are launched; one does it all", counts.launches);
  CHECK(counts.store_bytes <= a.T * kRowBytes, "{} bytes are written; y has {}: nothing else goes to memory",
        counts.store_bytes, a.T * kRowBytes);
  const int64_t blocks = (a.T + kQueries - 1) / kQueries, tiles = blocks * ((a.T + kKeys - 1) / kKeys);
  const int64_t of_tiles = tiles * 2 * kKeys * kChannels;  // even if each value were written by itself
  CHECK(counts.shared_stores <= of_tiles,
        "{} writes to shared memory, {} would fill all tiles: scores do not belong there, they are used up "
        "one by one",
        counts.shared_stores, of_tiles);
  CHECK(counts.load_bytes <= bytes_read(a, [&](int64_t) { return (a.T + kKeys - 1) / kKeys; }),
        "{} bytes are read, {} would do: keys and values are read once for each block of 64 queries, and "
        "queries once",
        counts.load_bytes, bytes_read(a, [&](int64_t) { return (a.T + kKeys - 1) / kKeys; }));
}

CASE("nothing right of the diagonal") {
  const auto a = random_attention(draw, 1, 2 * kQueries + draw.integer(1, 5));
  WITH("T = {}", a.T);
  const auto [y, counts] = STUDENT(traced([&] { return flash_of(a); }));
  CHECK_CLOSE(y, oracle(a), 1e-5, "this is not the attention's result");
  const int64_t needed = bytes_read(a, [](int64_t block) { return (block + 1) * kQueries / kKeys; });
  CHECK(counts.load_bytes <= needed,
        "{} bytes are read, {} would do: the block with queries 0 to 63 needs the tiles with keys 0 to 63, "
        "and no others",
        counts.load_bytes, needed);
}
