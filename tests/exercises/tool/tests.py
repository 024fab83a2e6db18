"""Tests of the exercises' tools: python3 tests/exercises/tool/tests.py. Nothing is compiled here:
verify does that."""

import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))
import catalogue
import judging
import learner
import paper
import regions
import running
import verify
import work
from errors import CourseError

LIMITS = {"seconds": 2, "megabytes": 500}
SOURCE = """before
  //@solution 08.1
  right();
  //@stub
  //| // TODO
  //|
  //|   nested();
  //@end
between
//@solution 08.1 second
two
//@stub
//@end
"""


class Regions(unittest.TestCase):
    def test_cuts(self):
        self.assertEqual(regions.solution(SOURCE, "a.cpp"), "before\n  right();\nbetween\ntwo\n")
        self.assertEqual(regions.starter(SOURCE, "a.cpp"), "before\n  // TODO\n\n    nested();\nbetween\n")

    def test_a_wrong_answer_replaces_regions_by_label(self):
        wrong = "//@fails a | b\n//@solution 08.1 second\nzwei\n//@end\n"
        self.assertEqual(
            regions.variant(SOURCE, "a.cpp", wrong, "w.cpp"), "before\n  right();\nbetween\nzwei\n"
        )
        self.assertEqual(regions.variant(SOURCE, "a.cpp", "all\n", "w.cpp"), "all\n")

    def test_comments_with_hashes(self):
        self.assertEqual(regions.starter("#@solution 1\nx\n#@stub\n#| y\n#@end\n", "a.py"), "y\n")

    def test_errors_name_the_line(self):
        for text, message in [
            ("//@solution 1\n//@solution 2\n", "a:2: //@solution inside the region of line 1"),
            ("x\n//@solution 1\ny\n", "a:2: //@solution without //@end"),
            ("//@end\n", "a:1: //@end without //@solution before it"),
            ("//@stub\n", "a:1: //@stub without //@solution before it"),
            ("//@solution\n", "a:1: //@solution needs the exercise's id"),
            ("//@solution 1\n//@stub\n//@stub\n", "a:3: unexpected //@stub in the region of line 1"),
            ("//@solution 1\n//@stub\ncode\n//@end\n", "a:3: a line of a stub must begin with //|"),
            ("//@other\n", "a:1: //@other without //@solution before it"),
        ]:
            with self.assertRaises(CourseError) as caught:
                regions.parse(text, "a")
            self.assertEqual(str(caught.exception), message)

    def test_an_unknown_label_is_an_error(self):
        with self.assertRaisesRegex(CourseError, "a.cpp has no region 'third'"):
            regions.variant(SOURCE, "a.cpp", "//@solution 08.1 third\n//@end\n", "w.cpp")


class Catalogue(unittest.TestCase):
    def test_every_form_of_an_id(self):
        for name in ("4.2", "04.2", "04.2_ignore_index"):
            self.assertEqual(catalogue.find(name).id, "04.2")
        for name in ("4", "4.20", "../04.2", "", "nothing"):
            with self.assertRaises(CourseError):
                catalogue.find(name)

    def test_order(self):
        ids = ["W2", "W10", "01.1", "01.2", "01.10", "10.1", "E2"]
        self.assertEqual(sorted(reversed(ids), key=catalogue._rank), ids)

    def test_all_are_valid(self):
        self.assertTrue(catalogue.exercises())

    def test_invalid_descriptions(self):
        good = catalogue.find("4.2").folder.joinpath("exercise.json").read_text()
        for old, new, message in [
            ('"kind": "C"', '"kind": "X"', "kind is X"),
            ('"id": "04.2"', '"id": "04.3"', "id is 04.3, but the folder is 04.2_x"),
            ('"difficulty": 3', '"difficulty": 6', "difficulty is 6"),
            ('"minutes": 60', '"hours": 1', "lacks minutes"),
            ('"points": 3', '"point": 3', "a test has a name, points"),
            ('"gradient"', '"nothing kept"', "different names"),
            ("{", "", "exercise.json"),
        ]:
            with tempfile.TemporaryDirectory() as root:
                folder = Path(root) / "04.2_x"
                folder.mkdir()
                (folder / "exercise.json").write_text(good.replace(old, new, 1))
                with self.assertRaisesRegex(CourseError, message):
                    catalogue.Exercise(folder)


class Running(unittest.TestCase):
    def run_shell(self, line, **options):
        return running.run(["/bin/sh", "-c", line], limits=LIMITS, **options)

    def test_output_and_status(self):
        outcome = self.run_shell("echo out; echo err >&2; exit 3")
        self.assertEqual((outcome.status, outcome.output, outcome.timed_out), (3, "out\nerr\n", False))

    def test_an_endless_loop_ends(self):
        self.assertTrue(self.run_shell("while :; do :; done").timed_out)

    def test_children_end_too(self):
        outcome = self.run_shell("(sleep 3; echo late) & echo early")
        self.assertEqual(outcome.output, "early\n")

    def test_output_is_limited(self):
        self.assertLessEqual(len(self.run_shell("yes | head -c 1000000").output), running.OUTPUT_BYTES)

    def test_memory_is_limited(self):
        outcome = running.run(
            [sys.executable, "-c", "x = bytearray(1 << 30); print('got it')"], limits=LIMITS
        )
        self.assertNotIn("got it", outcome.output)

    def test_the_environment_is_empty(self):
        self.assertNotIn("HOME=", self.run_shell("/usr/bin/env").output)

    def test_values_have_a_channel_of_their_own(self):
        outcome = running.run(
            ["/bin/sh", "-c", 'echo printed; eval "echo value >&$2"', "sh"], limits=LIMITS, values=True
        )
        self.assertEqual((outcome.output, outcome.values), ("printed\n", b"value\n"))


class Judging(unittest.TestCase):
    EXERCISE = SimpleNamespace(limits={"seconds": 10, "megabytes": 2048}, edit=["a.cpp"])

    def explain(self, status, output="", timed_out=False):
        return judging.explain(
            SimpleNamespace(status=status, output=output, timed_out=timed_out), "/bin/true", self.EXERCISE
        )

    def test_explains_how_a_program_ended(self):
        self.assertIsNone(self.explain(0))
        self.assertIn("no result after 10 s", self.explain(-9, timed_out=True))
        self.assertIn("not written yet", self.explain(77, "TODO(08.1) at a.cpp:3 is not written yet\n"))
        self.assertIn("SIGSEGV", self.explain(-11))
        memory = "==1==AddressSanitizer: hard rss limit exhausted (2048Mb vs 2101Mb)\n"
        self.assertIn("more than 2048 MB of memory", self.explain(1, memory))
        self.assertEqual(
            self.explain(
                1,
                "==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x\n #1 0x in f /w/a.cpp:7\n",
            ),
            "AddressSanitizer: heap-buffer-overflow at a.cpp:7",
        )
        self.assertIn("exit status 5", self.explain(5))
        self.assertEqual(
            self.explain(
                -6,
                "executor: divergence: at /a/b/k.cu:3\n  in (anonymous namespace)::f(int), block "
                "(0,0,0), thread (1,0,0)\n",
            ),
            "divergence: at k.cu:3 (f, block (0,0,0), thread (1,0,0))",
        )

    def test_banned_words_are_found_in_code_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            exercise = SimpleNamespace(edit=["a.cpp"], banned=["block_sum"])
            for text, banned in [
                ("int x = block_sum(y);", True),
                ("// block_sum\n/* fork() */", False),
                ('f("system");', False),
                ("system (x)", True),
                ("my_system(x); block_sums;", False),
                ('#include "block_sum.h"', True),
            ]:
                (Path(folder) / "a.cpp").write_text(text)
                self.assertEqual(judging.banned_words(exercise, Path(folder)) is not None, banned, text)


class TrainedModels(unittest.TestCase):
    def test_nothing_else_depends_on_the_student(self):
        for kind, student, told in [
            ("T", "ann", "ann"),
            ("T", "a\0b\udc80", "ab?"),
            ("C", "ann", ""),
            ("K", "ann", ""),
        ]:
            exercise = SimpleNamespace(kind=kind, folder="x")
            self.assertEqual(judging._environment(exercise, student=student)["STUDENT"], told)

    def test_sources_are_checked_before_training(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.cpp").write_text("")
            for kind, edit, missing in [
                ("T", ["a.cpp", "model.safetensors"], None),
                ("T", ["b.cpp", "a.cpp"], "b.cpp is missing"),
                ("C", ["a.cpp", "model.safetensors"], "model.safetensors is missing"),
            ]:
                self.assertEqual(
                    judging.missing_files(SimpleNamespace(kind=kind, edit=edit), Path(folder)), missing
                )

    def test_a_wrong_answer_can_be_another_students(self):
        note = "//@fails a | b\n//@student somebody else\n"
        self.assertEqual(regions.parse(note, "fails"), [])
        self.assertEqual(verify.HANDED_IN_BY.search(note)[1], "somebody else")
        self.assertIsNone(verify.HANDED_IN_BY.search("//@fails a | b"))


class Paper(unittest.TestCase):
    def test_equal(self):
        for a, b, tolerance, same in [
            (1, 1, 0, True),
            (1.01, 1, 0.02, True),
            (1.1, 1, 0.02, False),
            (True, 1, 0, False),
            ("F32", "f32", 0, True),
            ("1", 1, 0, False),
            ([1, 2], (1, 2), 0, True),
            ([1], [1, 2], 0, False),
            (None, 0, 0, False),
            (float("nan"), 1, 0.1, False),
            ([1, 2], 1, 0, False),
        ]:
            self.assertEqual(paper.equal(a, b, tolerance), same, (a, b))

    def test_parameters_belong_to_the_student(self):
        exercise = catalogue.find("1.1")
        self.assertEqual(paper.parameters(exercise, "ann"), paper.parameters(exercise, "ann"))
        self.assertNotEqual(paper.parameters(exercise, "ann"), paper.parameters(exercise, "bob"))


class Work(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(dir=catalogue.ROOT / "build")
        self.addCleanup(self.folder.cleanup)
        self.before, work.WORK = work.WORK, Path(self.folder.name)
        self.addCleanup(lambda: setattr(work, "WORK", self.before))
        self.exercise = catalogue.find("4.2")

    def test_nothing_is_overwritten(self):
        work.write_starter(self.exercise)
        mine = work.folder(self.exercise) / "ignore_index.cpp"
        self.assertIn("COURSE_TODO", mine.read_text())
        mine.write_text("mine")
        work.write_starter(self.exercise)
        self.assertEqual(mine.read_text(), "mine")
        first, second = work.set_aside(self.exercise), None
        work.write_starter(self.exercise)
        second = work.set_aside(self.exercise)
        self.assertNotEqual(first, second)
        self.assertEqual((catalogue.ROOT / first / "ignore_index.cpp").read_text(), "mine")

    def test_hints_come_one_by_one(self):
        self.assertGreaterEqual(len(learner.hints(self.exercise)), 3)
        work.write_starter(self.exercise)
        work.remember(self.exercise, hints=2)
        work.remember(self.exercise, points=3)
        self.assertEqual(work.state(self.exercise), {"hints": 2, "points": 3})


from grading_tests import *  # noqa: E402,F401,F403: these are tests too

if __name__ == "__main__":
    unittest.main()
