"""Tests of run.py with programs that only print."""

import json
import sys
import tempfile
import unittest
from argparse import Namespace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import run  # noqa: E402

PASSED = """[==========] Running 2 tests from 1 test suite.
[ RUN      ] On/A.Is/cuda
[       OK ] On/A.Is/cuda (3 ms)
[ RUN      ] On/A.Was/cuda
[  SKIPPED ] On/A.Was/cuda (0 ms)
[==========] 2 tests from 1 test suite ran. (3 ms total)
"""
FAILED = """[ RUN      ] On/A.Is/cuda
[  FAILED  ] On/A.Is/cuda, where GetParam() = cuda:0 (3 ms)
[ RUN      ] On/B.Is/cuda
[  FAILED  ] On/B.Is/cuda (3 ms)
[==========] 2 tests from 2 test suites ran. (6 ms total)
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] On/A.Is/cuda, where GetParam() = cuda:0
"""
CRASHED = """[ RUN      ] On/A.Is/cuda
[       OK ] On/A.Is/cuda (3 ms)
[ RUN      ] On/B.Is/cuda
terminate called after throwing an instance of ...
"""


class TestsOfRun(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)

    def call(self, seconds=30):
        return run.Call(Namespace(seconds=seconds, out=self.path / "out", bin=self.path, rehearse=True))

    def program(self, name, script):
        path = self.path / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def lines(self):
        text = (self.path / "out/results.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def test_names_the_tests_that_failed_and_the_one_that_crashed(self):
        self.assertEqual(run.failed_tests(PASSED), [])
        self.assertEqual(run.failed_tests(FAILED), ["On/A.Is/cuda", "On/B.Is/cuda"])
        self.assertEqual(run.failed_tests(CRASHED), ["On/B.Is/cuda"])

    def test_counts(self):
        self.assertEqual((run.count(PASSED, "OK"), run.count(PASSED, "SKIPPED")), (1, 1))
        self.assertEqual((run.count(CRASHED, "OK"), run.count(CRASHED, "SKIPPED")), (1, 0))

    def test_runs_a_failed_test_again_alone(self):
        self.program("a_test", f'case "$2" in *A.Is*) exit 1;; esac\ncat <<END\n{CRASHED}END\nexit 134')
        run.test(self.call(), "a_test", "*", 10)
        first, second = self.lines()
        self.assertEqual((first["passed"], first["failed"]), (1, ["On/B.Is/cuda"]))
        self.assertIn("exit status 134", first["error"])
        self.assertEqual(second["alone"], "On/B.Is/cuda")

    def test_a_job_that_takes_too_long_is_stopped_and_the_next_one_runs(self):
        self.program("slow", "sleep 20")
        self.program("fast", 'echo \'{"event":"step","loss":2}\' >"$4"')
        call = self.call()
        run.time_step(call, "slow", "slow", limit=2)
        run.time_step(call, "fast", "fast")
        slow, fast = self.lines()
        self.assertEqual(slow["error"], "stopped after 2 s")
        self.assertEqual((fast["first_loss"], fast["steps"]), (2, 1))
        self.assertNotIn("error", fast)

    def test_without_time_nothing_starts(self):
        self.program("fast", "exit 0")
        run.time_step(self.call(seconds=0), "fast", "fast")
        self.assertEqual(self.lines()[0]["error"], "no time was left")

    def test_a_missing_program_is_said(self):
        run.time_step(self.call(), "none", "none")
        self.assertIn("No such file", self.lines()[0]["error"])


if __name__ == "__main__":
    unittest.main()
