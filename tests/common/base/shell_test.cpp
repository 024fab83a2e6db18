#include "common/base/shell.h"

#include <gtest/gtest.h>

#include "tests/shell.h"

namespace gpt2::testing {
namespace {

TEST(ShellWord, IsTheTextAgainWhenAShellReadsIt) {
  for (const std::string text :
       {"a.txt", "a b.txt", "it's.txt", "'", "\"double\"", "$HOME", "`id`", "a;b", "*", "~", "tab\there",
        "ä ö", "#x", "a\\b", "!", "(x)", "", "/abs/path-1_2.txt"}) {
    const Outcome outcome = shell("printf '<%s>' " + shell_word(text));
    EXPECT_EQ(outcome.output, "<" + text + ">");
  }
  EXPECT_EQ(shell_word("plain/path-1_2.txt"), "plain/path-1_2.txt");
  EXPECT_EQ(shell_word("-rf"), "./-rf");
  EXPECT_EQ(shell_word("-r f"), "'./-r f'");
}

}  // namespace
}  // namespace gpt2::testing
