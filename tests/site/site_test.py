"""The checks of the site's build: each finds the fault that it is for, and nothing where there is none."""
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs/site"))

import check_links
import hunks
import markdown
import reference
import repository

HUNK = [(" ", "a", 1), ("-", "  old line", 2), ("+", "  new line", 2), (" ", "b", 3), ("+", "", 4), ("+", "more", 5)]


class Problems(unittest.TestCase):
    def setUp(self):
        repository.problems.clear()

    def found(self, part):
        self.assertEqual(len(repository.problems), 1, repository.problems)
        self.assertIn(part, repository.problems[0])


class Hunks(Problems):
    def match(self, entries, found=(HUNK,)):
        return hunks.matched("NN.md", "gpt2.h", list(found), entries)

    def test_an_explained_hunk_is_no_problem(self):
        self.assertEqual(self.match([(["old line"], "Why.")]), [("Why.", [HUNK])])
        self.assertEqual(repository.problems, [])

    def test_a_named_line_cuts_the_hunk(self):
        self.assertEqual(self.match([(["old"], "One."), (["more"], "Two.")]), [("One.", [HUNK[:5]]), ("Two.", [HUNK[5:]])])
        self.assertEqual(repository.problems, [])

    def test_equal_first_lines_are_matched_in_order(self):
        self.assertEqual([text for text, _ in self.match([(["old"], "One."), (["old"], "Two.")], [HUNK, HUNK])], ["One.", "Two."])
        self.assertEqual(repository.problems, [])

    def test_a_hunk_that_nothing_explains(self):
        self.match([(["old"], "Why.")], [HUNK, [("+", "other", 9)]])
        self.found("nothing explains the hunk that begins with: other")

    def test_an_explanation_without_text(self):
        self.match([(["old"], "")])
        self.found("the explanation of old is empty")

    def test_an_explanation_of_a_line_that_is_gone(self):
        self.match([(["old"], "Why."), (["gone"], "Why?")])
        self.found("begins with: gone")

    def test_a_context_line_cannot_be_named(self):
        self.match([(["old"], "Why."), (["b"], "Why?")])
        self.found("begins with: b")

    def test_headings_without_text_between_share_it(self):
        with mock.patch.object(hunks, "read", return_value="# 05\n## gpt2.h\n### `a`\n### `b`\nText.\n### `c`\nMore.\n"):
            self.assertEqual(hunks.explanations("x"), {"gpt2.h": [(["a", "b"], "Text."), (["c"], "More.")]})


class Markdown(Problems):
    def convert(self, text):
        return markdown.Converter().convert(text, "docs/page.md")

    def test_a_link_to_code_leads_to_its_line(self):
        line = repository.line_of("common/tensor/tensor.h", "class Tensor {")
        self.assertIn(f"tensor.h.html#L{line}", self.convert("[`class Tensor {`](../common/tensor/tensor.h)"))
        self.assertEqual(repository.problems, [])

    def test_a_link_to_a_page_stays(self):
        self.assertEqual(self.convert("[x](timing/README.md#a)"), "[x](timing/README.md#a)")

    def test_code_is_not_searched_for_links(self):
        for text in ("`[a](b.md)`", "```\n[a](b.md)\n```\n"):
            self.assertEqual(self.convert(text), text)

    def test_faults(self):
        for text, part in {
            "[a](none.md)": "link to none.md: no such file",
            "[`no such code`](../common/tensor/tensor.h)": "has no line with: no such code",
            "```cpp\n// steps/01_module/gpt2.h\nint no_such_line;\n```\n": "no such line at this place: int no_such_line;",
            "```cpp\n// steps/01_module/gone.h\nint x;\n```\n": "quotes steps/01_module/gone.h: no such file",
            "```cpp\nint x;\n": "a code block is not closed",
        }.items():
            with self.subTest(text):
                repository.problems.clear()
                self.convert(text)
                self.found(part)

    def test_a_quotation_may_leave_out_comments_and_lines(self):
        self.convert("```cpp\n// steps/04_overfit/gpt2.h\nint64_t block_size = 1024;\n...\nint64_t n_embd = 768;\n```\n")
        self.assertEqual(repository.problems, [])


class Reference(unittest.TestCase):
    def test_private_members_are_left_out(self):
        code = ["class A {", " public:", "  int a();", "", " private:", "  int b;", "};"]
        self.assertEqual(reference.public(code), ["class A {", " public:", "  int a();", "};"])

    def test_names(self):
        for code, names in {
            "class A : public B {": ["A"],
            "template <class T>\nT* first(const T& x);\nint second();": ["first", "second"],
            "using Shape = std::vector<int64_t>;": ["Shape"],
            "inline constexpr size_t kBytes = 1;": ["kBytes"],
            "enum class DType : uint8_t { f32 };": ["DType"],
            "Tensor operator+(const Tensor& a);": ["operator+"],
        }.items():
            self.assertEqual(reference.declared_names(code.splitlines()), names)

    def test_every_header_has_a_page_with_names(self):
        pages = reference.pages()
        for header in reference.headers():
            self.assertIn(f"reference/{header.removeprefix('common/').removesuffix('.h')}.md", pages)
        self.assertIn("[`Tensor`]", pages["reference/names.md"])


class Links(unittest.TestCase):
    def test_broken_links_are_found(self):
        import tempfile
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            (folder / "a.html").write_text('<a id="x" href="b.html#y"></a><a href="#x"></a><a href="https://x.org/z"></a>')
            (folder / "b.html").write_text('<p id="y"></p><img src="none.svg"><a href="a.html#none"></a><a href="../out"></a>')
            checked, broken = check_links.check(folder)
            self.assertEqual(checked, 5)
            self.assertEqual([link for _, link in broken], ["none.svg", "a.html#none", "../out"])


if __name__ == "__main__":
    unittest.main()
