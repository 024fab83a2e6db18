"""Tests of submit, grade, handout and similarity; tests.py runs them. Nothing is compiled here."""

import contextlib
import csv
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))
import catalogue
import gradescope
import handout
import lateness
import public
import results
import running
import sandbox
import similarity
import speed
import submission
from errors import CourseError

LIMITS = {"seconds": 5, "megabytes": 500}
GOOD = '{"student": "ann", "exercises": ["05.2"], "version": "1", "files": {}}'
KERNEL = "05.2_row_sum/row_sum.cu"


class Temporary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def archive(self, *entries, manifest=GOOD):
        path = self.folder / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of doubles
            for name, data in ([("manifest.json", manifest)] if manifest else []) + list(entries):
                archive.writestr(name, data)
        return path


class Submission(Temporary):
    def test_only_files_of_exercises_are_taken(self):
        path = self.archive(
            (KERNEL, "mine"),
            ("../evil", "x"),
            ("/etc/evil", "x"),
            ("05.2_row_sum/test.cpp", "x"),
            ("./" + KERNEL, "y"),
        )
        read = submission.read(path)
        self.assertEqual((read.student, read.files), ("ann", {"05.2_row_sum": {"row_sum.cu": b"mine"}}))
        self.assertIn("4 other files are ignored", read.notes[0])

    def test_links_bombs_and_doubles_are_left_out(self):
        link = zipfile.ZipInfo(KERNEL)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        for entries, note in [
            ([(link, "/etc/passwd")], "is a link"),
            ([(KERNEL, bytes(submission.FILE_BYTES + 1))], "has more than"),
            ([(KERNEL, "a"), (KERNEL, "b")], "is 2 times in the zip file"),
        ]:
            read = submission.read(self.archive(*entries))
            self.assertEqual(read.files, {})
            self.assertIn(note, read.notes[0])

    def test_what_is_no_submission_is_one_line(self):
        text = self.folder / "t.zip"
        text.write_text("no zip")
        for make, message in [
            (lambda: text, "is not a zip file"),
            (lambda: self.archive(manifest=None), "has no manifest.json"),
            (lambda: self.archive(manifest="[" * 100000), "is not valid"),
            (lambda: self.archive(manifest="[]"), "is not valid"),
            (lambda: self.folder / "none.zip", "does not exist"),
        ]:
            with self.assertRaisesRegex(CourseError, message):
                submission.read(make())

    def test_a_folder_with_a_link(self):
        (self.folder / "05.2_row_sum").mkdir()
        (self.folder / KERNEL).symlink_to("/etc/passwd")
        read = submission.read(self.folder, "bob")
        self.assertEqual((read.student, read.files), ("bob", {}))

    def test_a_folder_with_a_zip_file(self):
        self.archive((KERNEL, "packed")).rename(self.folder / "submission.zip")
        self.assertEqual(submission.read(self.folder).files, {"05.2_row_sum": {"row_sum.cu": b"packed"}})
        (self.folder / "05.2_row_sum").mkdir()
        (self.folder / KERNEL).write_text("newer")
        self.assertEqual(submission.read(self.folder).files, {"05.2_row_sum": {"row_sum.cu": b"newer"}})

    def test_a_change_after_submit_is_noted(self):
        manifest = f'{{"student": "ann", "files": {{"{KERNEL}": "0000"}}}}'
        self.assertIn(
            "was changed after", submission.read(self.archive((KERNEL, "x"), manifest=manifest)).notes[0]
        )


class Sandbox(Temporary):
    def run_shell(self, line):
        with sandbox.entered():
            return running.run(["/bin/bash", "-c", line], limits=LIMITS, folder="/")

    @unittest.skipUnless(os.geteuid() == 0, "only root can give programs a user of their own")
    def test_programs_are_not_root(self):
        secret = self.folder / "secret"
        secret.write_text("secret")
        outcome = self.run_shell(f"id -u; cat {secret}; touch /etc/evil")
        self.assertGreaterEqual(int(outcome.output.split()[0]), sandbox.FIRST_USER)
        self.assertNotIn("secret\n", outcome.output)
        self.assertFalse(Path("/etc/evil").exists())

    @unittest.skipUnless(os.geteuid() == 0, "only root can give programs a user of their own")
    def test_a_fork_bomb_and_what_leaves_its_session_end(self):
        with sandbox.entered() as box:
            running.run(
                ["/bin/bash", "-c", "setsid sleep 77 & b() { b | b & }; b; sleep 1"],
                limits=LIMITS,
                folder="/",
            )
            self.assertEqual(_of(box.user), [])
            # The next program has all of its processes, although the bomb had used them up.
            again = running.run(["/bin/bash", "-c", "for i in {1..20}; do sleep 0.2 & done; wait; echo good"], limits=LIMITS, folder="/")
            self.assertEqual(again.output, "good\n")

    @unittest.skipUnless(sandbox.network_can_be_cut(), "this machine does not let the network be cut")
    def test_there_is_no_network(self):
        outcome = self.run_shell(
            "cat /proc/net/dev | grep -c :; echo > /dev/tcp/127.0.0.1/22 && echo reached"
        )
        self.assertNotIn("reached", outcome.output)

    def test_each_sandbox_has_its_own_user(self):
        with sandbox.entered() as a:
            b = sandbox.Sandbox()
            self.assertTrue(a.user is None or a.user != b.user)
            b.close()


def _of(user):
    """The processes of a user, the dead among them."""
    done = subprocess.run(["ps", "-eo", "uid=,stat=,comm="], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.split()[0] == str(user)]


class Points(Temporary):
    def test_late(self):
        due = lateness.parse_due("2026-10-01T12:00+00:00")
        for hours, days in [(-1, 0), (0, 0), (1, 1), (24, 1), (25, 2)]:
            self.assertEqual(lateness.days_late(due, due.timestamp() + 3600 * hours), days)
        options = SimpleNamespace(late_days=2, late_percent=10, late_cap=50)
        for days, points in [(0, 8), (2, 8), (3, 7.2), (9, 4)]:
            self.assertEqual(lateness.after_cost(8, days, options), points)

    def test_speed(self):
        for ratio, share in [(0.5, 1), (1.2, 1), (10, 0), (100, 0)]:
            self.assertAlmostEqual(speed.share(ratio), share)
        self.assertTrue(0.6 < speed.share(2.4) < 0.75)

    def test_a_skipped_test_is_neither(self):
        grade = {"id": "1", "step": "s", "kind": "C"}
        test = {
            "name": "t",
            "points": 0,
            "max": 4,
            "status": "skipped",
            "message": "skipped: no GPU",
            "output": "",
            "visibility": "visible",
        }
        entry = results._gradescope(grade, test)
        self.assertEqual((entry["score"], entry["max_score"], "status" in entry), (0, 0, False))

    def test_csv_shows_old_and_new(self):
        path, row = self.folder / "g.csv", {
            "file": "a.zip",
            "student": "=evil()",
            "notes": [],
            "days_late": 0,
            "final": 3,
            "grades": [{"id": "05.2", "points": 3, "max": 8}],
        }
        results.write_csv(path, [row], ["05.2"], {})
        before = results.read_csv(path)
        changed = {**row, "final": 8, "grades": [{"id": "05.2", "points": 8, "max": 8}]}
        self.assertEqual(results.changes([row], before), [])
        self.assertEqual(
            results.changes([changed], before), ["a.zip: 05.2 3 -> 8, points 3 -> 8, final 3 -> 8"]
        )
        results.write_csv(path, [changed], ["05.2"], before)
        with open(path, newline="") as file:
            line = next(csv.DictReader(file))
        self.assertEqual((line["student"], line["before"], line["final"]), ("'=evil()", "3", "8"))


class Similarity(Temporary):
    SOURCE = "\n".join(
        f"for (int i{n} = 0; i{n} < {n}; ++i{n}) {{ sum += x[i{n}] {'*' if n % 3 else '+'} y[{n} % i{n}]; call(a{n}); }}"
        + "if (b) c();" * (n % 4)
        for n in range(30)
    )

    def test_renaming_hides_nothing(self):
        renamed = self.SOURCE.replace("sum", "total").replace("i1", "row").replace("x[", "values[ // note\n")
        a, b = similarity.fingerprints(self.SOURCE), similarity.fingerprints(renamed)
        self.assertEqual(similarity.share(a, b), 1)
        self.assertLess(
            similarity.share(
                a, similarity.fingerprints("while (true) { switch (a) { case 1: return b->c; } }" * 30)
            ),
            0.3,
        )

    def test_a_short_text_is_not_compared(self):
        self.assertEqual(
            similarity.share(similarity.fingerprints("return x;"), similarity.fingerprints("return x;")), 0
        )

    def test_the_starter_does_not_count(self):
        exercise = catalogue.find("5.2")
        known = similarity._known(exercise)
        self.assertEqual(
            similarity._of({"row_sum.cu": exercise.starter()["row_sum.cu"].encode()}, exercise.edit) - known,
            set(),
        )


class Handout(Temporary):
    def configures(self, folder):
        words = ["cmake", "-S", str(folder), "-B", str(self.folder / "build"), "-G", "Ninja", "-Wno-dev"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_copies_for_students_and_for_gradescope_configure(self):
        out, archive = self.folder / "out", self.folder / "a.zip"
        with contextlib.redirect_stdout(None):
            handout.handout(SimpleNamespace(steps="1-8", exercises=None, out=str(out)))
            gradescope.gradescope(SimpleNamespace(private=None, out=str(archive)))
        self.configures(out)
        self.assertEqual([path.name for path in (out / "steps").glob("09*")], [])
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(self.folder / "image")
        shutil.rmtree(self.folder / "build")
        self.configures(self.folder / "image" / "course")

    def test_no_exercise_shows_a_solution(self):
        for exercise in catalogue.exercises():
            out = self.folder / exercise.name
            public.write(exercise, out)
            shown = "".join(path.read_text(errors="replace") for path in out.rglob("*") if path.is_file())
            self.assertNotRegex(shown, r"(?m)^\s*(//|#)@solution")  # a line that opens a region
            self.assertEqual([path.name for path in out.iterdir() if path.name in public.SECRET], [])
            copy = catalogue.Exercise(out)
            self.assertEqual(copy.starter(), exercise.starter())
            self.assertFalse(copy.has_solution())
