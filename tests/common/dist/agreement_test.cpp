#include "common/dist/agreement.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

using dist::Settings;

TEST(Agreement, NamesWhatDiffersAndOnWhichRank) {
  struct Case {
    std::vector<Settings> ranks;
    std::string expected;
  };
  const Settings a = {{"--seed", "1"}, {"--max-lr", "0.001"}};
  const std::vector<Case> cases = {
      {{a, a, a}, ""},
      {{{}, {}}, ""},
      {{a, {{"--max-lr", "0.001"}, {"--seed", "1"}}}, ""},  // only the order
      {{a, {{"--seed", "1"}, {"--max-lr", "0.0001"}}}, "--max-lr is 0.001 on rank 0, 0.0001 on rank 1"},
      {{a, a, {{"--seed", "2"}, {"--max-lr", "0.001"}}, a, a}, "--seed is 1 on ranks 0-1, 3-4, 2 on rank 2"},
      {{a, {{"--seed", "1"}}}, "--max-lr is 0.001 on rank 0, missing on rank 1"},
      {{{{"--seed", "1"}}, a}, "--max-lr is missing on rank 0, 0.001 on rank 1"},
      {{{{"--out", ""}}, {{"--out", "runs/a"}}}, "--out is not given on rank 0, runs/a on rank 1"},
      {{a, {{"--seed", "3"}, {"--max-lr", "1"}}},
       "--seed is 1 on rank 0, 3 on rank 1; --max-lr is 0.001 on rank 0, 1 on rank 1"},
      {{{{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}, {"e", "1"}},
        {{"a", "2"}, {"b", "2"}, {"c", "2"}, {"d", "2"}, {"e", "2"}}},
       "a is 1 on rank 0, 2 on rank 1; b is 1 on rank 0, 2 on rank 1; c is 1 on rank 0, 2 on rank 1; and 2 "
       "more "
       "settings"},
      {{{{dist::kProgram, "13_fineweb"}, {"--out", ""}},
        {{dist::kProgram, "12_ddp"}, {"the device", "CPU"}, {"b", "1"}}},
       "the program is 13_fineweb on rank 0, 12_ddp on rank 1"},
      {{{{"a", "1"}}, {{"a", "2"}}, {{"a", "3"}}, {{"a", "4"}}, {{"a", "5"}}},
       "a is 1 on rank 0, 2 on rank 1, 3 on rank 2, 4 on rank 3, ..."},
  };
  for (const Case& c : cases) EXPECT_EQ(dist::difference(c.ranks), c.expected);
}

}  // namespace
}  // namespace gpt2::testing
