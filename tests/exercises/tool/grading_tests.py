"""Tests of submit, grade, handout and similarity; tests.py runs them. Nothing is compiled here."""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))
import catalogue
import grade
import gradescope
import grading
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
            again = running.run(
                ["/bin/bash", "-c", "for i in {1..20}; do sleep 0.2 & done; wait; echo good"],
                limits=LIMITS,
                folder="/",
            )
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

    def test_a_skipped_test_has_no_column(self):
        row = row_of(points=0, largest=0)
        self.assertNotIn("05.2", results._line(row))


PINS = {"seed": 5, "image": "1a", "version": "v1"}


def row_of(points, largest=8, file="a.zip", exercise="05.2"):
    grade = {"id": exercise, "points": points, "max": largest}
    return {
        "file": file,
        "student": "=evil()",
        "notes": [],
        "days_late": 0,
        "final": points,
        "grades": [grade],
    }


class Regrade(Temporary):
    def written(self, rows, before, pins):
        path = self.folder / "g.csv"
        ids = sorted({grade["id"] for row in rows for grade in row["grades"]})
        results.write_csv(path, rows, ids, before, pins)
        return results.read_csv(path)

    def test_old_and_new_stand_side_by_side(self):
        before = self.written([row_of(3), row_of(8, file="b.zip")], {}, PINS)
        self.assertEqual(before["a.zip"]["student"], "'=evil()")
        for rows, changes in [
            ([row_of(3), row_of(8, file="b.zip")], []),
            ([row_of(8), row_of(8, file="b.zip")], ["a.zip: 05.2 3 -> 8, points 3 -> 8, final 3 -> 8"]),
            ([row_of(3, 9), row_of(8, file="b.zip")], ["a.zip: max 8 -> 9"]),
            ([row_of(3, exercise="05.1"), row_of(8, file="b.zip")], ["a.zip: 05.1 - -> 3, 05.2 3 -> -"]),
            ([row_of(3)], ["b.zip: no longer there"]),
            ([row_of(3), row_of(8, file="b.zip"), row_of(1, file="c.zip")], []),
        ]:
            self.assertEqual(results.changes(rows, before), changes)
        after = self.written([row_of(8), row_of(8, file="b.zip")], before, PINS)
        shown = [(line["before"], line["final"], line["changed"]) for line in after.values()]
        self.assertEqual(shown, [("3", "8", "05.2 3 -> 8, points 3 -> 8, final 3 -> 8"), ("8", "8", "")])

    def test_seed_and_image_are_pinned(self):
        before = self.written([row_of(3)], {}, PINS)
        self.assertEqual(results.seed_of(before), 5)
        self.assertEqual(results.pins_that_differ(before, PINS), [])
        other = {**PINS, "seed": 77, "image": "2b"}
        self.assertEqual(results.pins_that_differ(before, other), ["seed 5 -> 77", "image 1a -> 2b"])

    def test_an_older_list_has_no_seed(self):
        path = self.folder / "g.csv"
        path.write_text("file,student,05.2,points,max,days late,final,before,notes\na.zip,ann,3,3,8,0,3,,\n")
        before = results.read_csv(path)
        self.assertIsNone(results.seed_of(before))
        self.assertIsNone(results.seed_of({}))
        self.assertEqual(results.pins_that_differ(before, PINS), [])
        self.assertEqual(results.changes([row_of(3)], before), [])


class Interrupted(Temporary):
    def test_programs_end_and_no_grade_is_kept(self):
        self.addCleanup(running.stopping.clear)
        begun = time.monotonic()

        def work(item):
            if item == "interrupted":
                raise KeyboardInterrupt
            return running.run(["/bin/sleep", "4"], limits=LIMITS)

        with self.assertRaises(KeyboardInterrupt):
            grade._in_parallel(work, ["interrupted", *["sleeps"] * 5], 2)
        self.assertLess(time.monotonic() - begun, 3)

        grader = object.__new__(grading.Grader)
        grader.seed, grader.again = 1, False
        grader.exercises = {"x": SimpleNamespace(kind="C", folder=self.folder / "x")}
        grader._graded = lambda *_: {"points": 0}
        with mock.patch.object(grading, "GRADES", self.folder / "grades"), mock.patch.object(
            grading.builds, "image", lambda: "1a"
        ):
            with self.assertRaises(KeyboardInterrupt):
                grader.grade("x", {}, "ann")
            self.assertFalse((self.folder / "grades").exists())
            running.stopping.clear()
            self.assertEqual(grader.grade("x", {}, "ann"), {"points": 0})
            grader._graded = lambda *_: {"points": 8}  # what is kept is not graded again
            self.assertEqual(grader.grade("x", {}, "ann"), {"points": 0})


class Classroom(Temporary):
    """The steps of the workflow as GitHub's runner runs them; ./course is replaced."""

    WORKFLOW = catalogue.FOLDER / "autograder" / "classroom.yml"

    def scripts(self):
        """The shell commands by step."""
        blocks = re.split(r"(?m)^      - ", self.WORKFLOW.read_text())[1:]
        found = {}
        for block in blocks:
            name, command = re.match(r"(?:name: )?(.*)", block)[1], re.search(
                r"(?s)run: (?:\|\n)?(.*)", block
            )
            if command:
                found[name] = textwrap.dedent(command[1])
        return found

    def run_step(self, script):
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (tools / "sudo").chmod(0o755)
        environment = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            words, capture_output=True, text=True, check=False, cwd=self.folder, env=environment
        )

    def test_it_is_yaml(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3-yaml is not installed")
        job = yaml.safe_load(self.WORKFLOW.read_text())["jobs"]["grade"]
        self.assertEqual(job["defaults"]["run"]["shell"], "bash")  # otherwise a failing grade is a green job
        self.assertEqual(len([step for step in job["steps"] if "run" in step]), len(self.scripts()))

    @unittest.skipUnless(shutil.which("jq"), "jq is not installed")
    def test_its_points_are_those_of_grade(self):
        for points, status in [((3, 8), 0), ((0.5, 0), 1)]:
            grades = [
                {
                    "id": "05.2",
                    "step": "s",
                    "kind": "K",
                    "tests": [
                        {
                            "name": str(i),
                            "points": part,
                            "max": largest,
                            "status": "passed" if part == largest else "failed",
                            "message": "",
                            "output": "",
                            "visibility": "visible",
                        }
                        for i, (part, largest) in enumerate(zip(points, (3, 8)))
                    ],
                }
            ]
            row = {"grades": grades, "final": sum(points), "notes": [], "student": "ann"}
            results.write_json(self.folder / "made.json", row, PINS)
            course = self.folder / "course"
            course.write_text(f'#!/bin/sh\necho "$@"; cp made.json results.json; exit {status}\n')
            course.chmod(0o755)
            (self.folder / "build").mkdir(exist_ok=True)
            scripts = self.scripts()
            self.assertEqual(self.run_step(scripts["Grade"]).returncode, status)
            done = self.run_step(scripts["Points"])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(
                f"::notice title=Autograding complete::Points {sum(points):g}/11\n"
                f'::notice title=Autograding report::{{"totalPoints":{sum(points):g},"maxPoints":11}}',
                done.stdout,
            )
            self.assertIn("grade work --strict --json results.json", (self.folder / "summary").read_text())


class Graded(Temporary):
    def test_a_handout_skips_what_it_has_no_answers_to(self):
        exercise = catalogue.find("1.1")
        self.assertIsNone(grading._lacking(exercise))
        public.write(exercise, self.folder / exercise.name)
        self.assertIn("has the answers", grading._lacking(catalogue.Exercise(self.folder / exercise.name)))

    def test_messages_name_files_alone(self):
        for text, shown in [
            ("TODO(08.1) at /tmp/submission-g5qks1zv/partial.cpp:11", "TODO(08.1) at partial.cpp:11"),
            (f"{catalogue.ROOT}/common/base/error.h:3", "common/base/error.h:3"),
            ("/usr/include/c++/12/vector:7", "/usr/include/c++/12/vector:7"),
        ]:
            self.assertEqual(grading._without_folder(text), shown)


class Similarity(Temporary):
    SOURCE = "\n".join(
        f"for (int i{n} = 0; i{n} < {n}; ++i{n}) "
        f"{{ sum += x[i{n}] {'*' if n % 3 else '+'} y[{n} % i{n}]; call(a{n}); }}" + "if (b) c();" * (n % 4)
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
