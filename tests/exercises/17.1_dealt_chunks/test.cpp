#include "deal.h"

#include "tests/exercises/exercise.h"

namespace {

using Owners = std::vector<std::vector<int64_t>>;  // of each rank: the values of the block that it keeps

Owners expected_owners(int64_t n, int64_t chunk, int64_t ranks) {
  const int64_t dealt = n - n % (chunk * ranks);
  Owners owners(static_cast<size_t>(ranks));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t rank = 0; rank < ranks; ++rank) {
      if (i >= dealt || i / chunk % ranks == rank) owners[size_t(rank)].push_back(i);
    }
  }
  return owners;
}

std::vector<int64_t> values_of(const std::vector<Range>& ranges) {
  std::vector<int64_t> values;
  for (const Range& range : ranges) {
    for (int64_t i = range.begin; i < range.end; ++i) values.push_back(i);
  }
  return values;
}

std::string text_of(const std::vector<Range>& ranges) {
  std::string text;
  for (size_t i = 0; i < ranges.size() && i < 6; ++i)
    text += fmt::format("{}[{}, {})", i == 0 ? "" : " ", ranges[i].begin, ranges[i].end);
  return text.empty() ? "nothing" : text + (ranges.size() > 6 ? " ..." : "");
}

void check_form(const std::vector<Range>& ranges, int64_t n, int64_t rank) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    CHECK(ranges[i].begin >= 0 && ranges[i].end <= n && ranges[i].begin < ranges[i].end,
          "rank {} keeps {}: a range is empty, or lies outside of the block", rank, text_of(ranges));
    CHECK(i == 0 || ranges[i - 1].end <= ranges[i].begin, "rank {} keeps {}: not in ascending order", rank,
          text_of(ranges));
    CHECK(i == 0 || ranges[i - 1].end < ranges[i].begin,
          "rank {} keeps {}: ranges that touch each other should be one", rank, text_of(ranges));
  }
}

void check_kept(const std::vector<std::vector<Range>>& kept, int64_t n, int64_t chunk) {
  const auto ranks = int64_t(kept.size());
  const Owners expected = expected_owners(n, chunk, ranks);
  const int64_t dealt = n - n % (chunk * ranks);
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const std::vector<Range>& ranges = kept[size_t(rank)];
    const std::vector<int64_t> values = values_of(ranges), &right = expected[size_t(rank)];
    const auto rest = std::count_if(values.begin(), values.end(), [&](int64_t i) { return i >= dealt; });
    CHECK(ranks == 1 || dealt < 2 * chunk * ranks || int64_t(values.size()) != int64_t(right.size()) ||
              ranges.empty() || ranges[0].end - ranges[0].begin <= chunk || rank == ranks - 1,
          "rank {} keeps {}: its chunks lie in a row, but after each chunk it is the other ranks' turn", rank,
          text_of(ranges));
    CHECK(dealt == n || rest > 0 || values.size() + size_t(n - dealt) != right.size(),
          "rank {} keeps {}, but nothing of the rest [{}, {}), which belongs to every rank", rank,
          text_of(ranges), dealt, n);
    CHECK(rest == n - dealt,
          "rank {} keeps {} of the {} values behind the last whole round, [{}, {}); it keeps {}", rank, rest,
          n - dealt, dealt, n, text_of(ranges));
    CHECK(values == right, "rank {} keeps {}", rank, text_of(ranges));
    check_form(ranges, n, rank);
  }
}

std::vector<std::vector<Range>> kept_of_all(int64_t n, int64_t chunk, int64_t ranks) {
  std::vector<std::vector<Range>> all;
  for (int64_t rank = 0; rank < ranks; ++rank) all.push_back(kept(n, chunk, rank, ranks));
  return all;
}

// Ranges with gaps between them.
std::vector<Range> random_ranges(exercise::Draw& draw) {
  std::vector<Range> ranges;
  int64_t at = draw.integer(0, 5);
  for (int64_t i = draw.integer(2, 5); i > 0; --i) {
    const int64_t end = at + draw.integer(1, 9);
    ranges.push_back({at, end});
    at = end + draw.integer(1, 9);
  }
  return ranges;
}

std::vector<int64_t> places_of(const std::vector<Range>& ranges, int64_t n) {
  std::vector<int64_t> places;
  for (int64_t i = 0; i < n; ++i) places.push_back(place(ranges, i));
  return places;
}

}  // namespace

CASE("whole rounds") {
  for (const int64_t ranks : {2, 3, 5}) {
    const int64_t chunk = draw.integer(2, 9), n = chunk * ranks * draw.integer(2, 6);
    WITH("n = {}, chunk = {}, N = {}", n, chunk, ranks);
    const auto kept = STUDENT(kept_of_all(n, chunk, ranks));
    check_kept(kept, n, chunk);
  }
}

CASE("the rest") {
  for (const int64_t ranks : {2, 4, 3}) {
    const int64_t chunk = draw.integer(3, 9), round = chunk * ranks;
    for (const int64_t n : {round * draw.integer(2, 4) + chunk + draw.integer(1, chunk - 1),
                            round * draw.integer(1, 3) + draw.integer(1, round - 1), round - 1, int64_t{1}}) {
      WITH("n = {}, chunk = {}, N = {}", n, chunk, ranks);
      const auto kept = STUDENT(kept_of_all(n, chunk, ranks));
      check_kept(kept, n, chunk);
    }
  }
}

CASE("one rank") {
  for (const int64_t chunk : {int64_t{1}, draw.integer(2, 9)}) {
    const int64_t n = chunk * draw.integer(2, 9) + draw.integer(0, chunk - 1);
    WITH("n = {}, chunk = {}, N = 1", n, chunk);
    const auto kept = STUDENT(kept_of_all(n, chunk, 1));
    check_kept(kept, n, chunk);
  }
}

CASE("place in the block") {
  for (int repeat = 0; repeat < 3; ++repeat) {
    const std::vector<Range> ranges = random_ranges(draw);
    const std::vector<int64_t> right = values_of(ranges);
    WITH("a rank that stores {}", text_of(ranges));
    const auto places = STUDENT(places_of(ranges, int64_t(right.size())));
    for (size_t i = 0; i < right.size(); ++i) {
      CHECK(places[i] != ranges[0].begin + int64_t(i) || places[i] == right[i],
            "place {} is value {} of the block, not {}: there are gaps between the ranges", i, right[i],
            places[i]);
      CHECK(places[i] == right[i], "place {} is value {} of the block, not {}", i, right[i], places[i]);
    }
  }
}

CASE("decayed values") {
  for (int repeat = 0; repeat < 3; ++repeat) {
    const std::vector<Range> ranges = random_ranges(draw);
    const std::vector<int64_t> values = values_of(ranges);
    for (const int64_t end :
         {int64_t{0}, ranges[1].begin + 1, ranges[1].end, ranges[1].begin, values.back() + 9}) {
      WITH("a rank that stores {}, and values below {} decay", text_of(ranges), end);
      const auto found = STUDENT(decayed(ranges, end));
      const auto right = std::count_if(values.begin(), values.end(), [&](int64_t i) { return i < end; });
      CHECK_EQUAL(found, int64_t(right), "{} of the stored values lie below {}", right, end);
    }
  }
}
