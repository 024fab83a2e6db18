#include "loader.h"

#include "tests/exercises/exercise.h"

namespace {

using exercise::Draw;
using Rows = std::vector<Window>;
using Settings = Loader::Settings;
using State = Loader::State;

// Every id occurs once, so that a window is known by its ids.
std::vector<std::vector<int32_t>> random_shards(Draw& draw, int64_t count, int64_t shortest,
                                                int64_t longest) {
  std::vector<std::vector<int32_t>> shards;
  for (int64_t shard = 0; shard < count; ++shard) {
    std::vector<int32_t> ids(size_t(draw.integer(shortest, longest)));
    std::iota(ids.begin(), ids.end(), int32_t(10'000 * shard));
    shards.push_back(ids);
  }
  return shards;
}

// What all ranks serve in some steps: their rows, each rank's state at the end, and the number of ids read.
using Served = std::tuple<Rows, std::vector<State>, int64_t>;

Served serve(const std::vector<std::vector<int32_t>>& ids, Settings settings, int64_t steps,
             State from = {}) {
  const Shards shards(ids);
  std::vector<Loader> ranks;
  for (settings.rank = 0; settings.rank < settings.world; ++settings.rank) {
    ranks.emplace_back(shards, settings);
    if (from != State{}) ranks.back().restore(from);
  }
  Rows rows;
  std::vector<State> states;
  for (int64_t step = 0; step < steps; ++step) {
    for (Loader& loader : ranks) {
      for (Window& window : loader.next_batch()) rows.push_back(std::move(window));
    }
  }
  for (const Loader& loader : ranks) states.push_back(loader.state());
  return {rows, states, shards.ids_read()};
}

// ---- the oracle: an epoch written out

Rows epoch_in_order(const std::vector<std::vector<int32_t>>& shards, const Settings& settings,
                    int64_t epoch) {
  Rows windows;
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    auto begin = size_t(first_window(settings.seed, epoch, int64_t(shard), settings.T));
    for (; begin + size_t(settings.T) + 1 <= shards[shard].size(); begin += size_t(settings.T)) {
      const auto at = shards[shard].begin() + int64_t(begin);
      windows.emplace_back(at, at + settings.T + 1);
    }
  }
  return windows;
}

Rows epoch(const std::vector<std::vector<int32_t>>& shards, const Settings& settings, int64_t epoch) {
  const Rows windows = epoch_in_order(shards, settings, epoch);
  const auto n = int64_t(windows.size());
  Rows rows;
  for (int64_t i = 0; i < n; ++i) rows.push_back(windows[size_t(shuffled(settings.seed, epoch, n, i))]);
  return rows;
}

// The first n rows of all epochs, one behind the other. Of each epoch only a multiple of `whole` rows.
Rows sequence(const std::vector<std::vector<int32_t>>& shards, const Settings& settings, int64_t n,
              int64_t whole = 1) {
  Rows rows;
  for (int64_t e = 0; int64_t(rows.size()) < n; ++e) {
    Rows more = epoch(shards, settings, e);
    more.resize(more.size() / size_t(whole) * size_t(whole));
    rows.insert(rows.end(), more.begin(), more.end());
    if (more.empty() && e > 100) break;
  }
  rows.resize(std::min(rows.size(), size_t(n)));
  return rows;
}

Rows sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::string shown(const Window& window) {
  if (window.empty()) return "an empty window";
  return fmt::format("ids {} to {} of shard {}", window.front() % 10'000, window.back() % 10'000,
                     window.front() / 10'000);
}

void check_rows(const Rows& rows, const Rows& expected) {
  CHECK(rows.size() == expected.size(), "{} windows are served, expected {}", rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i] == expected[i], "row {} has {}, expected {}", i, shown(rows[i]), shown(expected[i]));
  }
}

void check_states(const std::vector<State>& states) {
  for (size_t rank = 1; rank < states.size(); ++rank) {
    CHECK(states[rank] == states[0],
          "rank {} has the state ({}, {}), rank 0 has ({}, {}): it must be the same on all ranks, so count "
          "the rows of all of them",
          rank, states[rank].epoch, states[rank].position, states[0].epoch, states[0].position);
  }
}

}  // namespace

CASE("one epoch") {
  for (const int64_t T : {int64_t{1}, int64_t{8}, draw.integer(3, 20)}) {
    const auto shards = random_shards(draw, draw.integer(2, 5), 2 * T + 1, 100);
    const Settings settings{.B = 1, .T = T, .seed = uint64_t(draw.integer(1, 1000))};
    const Rows expected = epoch(shards, settings, 0);
    WITH("{} shards, T = {}, {} windows", shards.size(), T, expected.size());
    const auto rows = std::get<0>(STUDENT(serve(shards, settings, int64_t(expected.size()))));
    const Rows once = sorted(rows);
    for (const Window& window : expected) {
      CHECK(window.back() % 10'000 + T < int64_t(shards[size_t(window.back() / 10'000)].size()) ||
                std::binary_search(once.begin(), once.end(), window),
            "a shard's last window is missing: {}. Windows overlap by one id, since the last target of one "
            "is the first input of the next",
            shown(window));
    }
    CHECK(std::adjacent_find(once.begin(), once.end()) == once.end(), "a window is served twice in an epoch");
    CHECK(once == sorted(expected),
          "an epoch has other windows than it should: where does a shard's first one begin?");
    check_rows(rows, expected);
  }
}

CASE("several ranks") {
  const auto shards = random_shards(draw, 4, 60, 120);
  const int64_t T = draw.integer(3, 6);
  const uint64_t seed = uint64_t(draw.integer(1, 1000));
  for (const int world : {1, 2, 3, 4}) {
    const Settings settings{.B = draw.integer(1, 3), .T = T, .seed = seed, .rank = 0, .world = world};
    WITH("world = {}, B = {}", world, settings.B);
    const int64_t steps = 36 / (settings.B * world);
    const auto [rows, states, read] = STUDENT(serve(shards, settings, steps));
    const Rows expected = sequence(shards, settings, steps * settings.B * world);
    CHECK(world == 1 || sorted(rows) == sorted(expected),
          "the ranks together serve other windows than a single rank would, some of them twice: there is one "
          "order for all ranks, of which each takes its part");
    check_rows(rows, expected);
    check_states(states);
  }
}

CASE("end of an epoch") {
  for (const auto& [B, world, longest] : {std::tuple{3, 1, 60}, std::tuple{2, 3, 60}, std::tuple{8, 4, 20}}) {
    const int64_t T = draw.integer(3, 6);
    const auto shards = random_shards(draw, 2, 14, longest);
    const Settings settings{
        .B = B, .T = T, .seed = uint64_t(draw.integer(1, 1000)), .rank = 0, .world = int(world)};
    const int64_t together = int64_t(B) * world, steps = 150 / together;
    WITH("world = {}, B = {}, epochs of about {} rows", world, B, epoch(shards, settings, 0).size());
    const auto [rows, states, read] = STUDENT(serve(shards, settings, steps));
    const Rows expected = sequence(shards, settings, steps * together);
    CHECK(rows == expected || rows != sequence(shards, settings, steps * together, together),
          "the rest of an epoch is dropped, if it does not fill a batch on all ranks: fill it from the next "
          "epoch");
    const auto first = size_t(epoch(shards, settings, 0).size());
    const bool good_first =
        std::equal(rows.begin(), rows.begin() + int64_t(std::min(first, rows.size())), expected.begin());
    CHECK(rows == expected || !good_first,
          "the first epoch is right, the later ones are not: epochs do not have the same number of rows, nor "
          "the same order");
    check_rows(rows, expected);
    check_states(states);
  }
}

CASE("resume") {
  const auto shards = random_shards(draw, 3, 20, 60);
  const Settings settings{.B = 2, .T = 5, .seed = uint64_t(draw.integer(1, 1000)), .rank = 0, .world = 2};
  for (const int64_t steps : {int64_t{1}, draw.integer(2, 8), draw.integer(9, 30)}) {
    const auto [rows, states, read] = STUDENT(serve(shards, settings, steps));
    const Rows expected = sequence(shards, settings, 4 * steps + 24);
    const auto next = expected.begin() + 4 * steps;
    WITH("the first run, {} steps", steps);
    check_rows(rows, Rows(expected.begin(), next));
    check_states(states);

    WITH("resumed after {} steps", steps);
    const State state = states[0];
    const auto [more, more_states, more_read] = STUDENT(serve(shards, settings, 3, state));
    CHECK(more_read <= 12 * (settings.T + 1),
          "three batches need {} ids, but {} are read: restore reads, as if it ran through all steps again. "
          "After hours of training that takes minutes: set the state",
          12 * (settings.T + 1), more_read);
    check_rows(more, Rows(next, next + 12));

    const Settings others{.B = 3, .T = 5, .seed = settings.seed, .rank = 0, .world = 4};
    WITH("resumed after {} steps with four ranks and B = 3", steps);
    const auto [other, other_states, other_read] = STUDENT(serve(shards, others, 2, state));
    check_rows(other, Rows(next, next + 24));
  }
}
