"""Grades one exercise of one submission: builds and runs it in a sandbox, and keeps the grade by the digest
of all that it depends on."""

import json
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path

import builds
import catalogue
import judging
import public
import running
import sandbox
import speed
from errors import CourseError

GRADES = builds.CACHE / "grades"


class Grader:
    """Grades for one seed, with the instructor's own tests and variants (`private`: a folder with
    NN.M_name/)."""

    def __init__(self, seed, private=None, again=False):
        self.seed, self.again = seed, again
        self._folder = tempfile.TemporaryDirectory(prefix="course-grade-")
        root = Path(self._folder.name)
        root.chmod(0o711)  # students' programs can enter, but not list
        self.exercises = {
            exercise.name: _prepared(exercise, private, root) for exercise in catalogue.exercises()
        }
        self._lock, self._prepared = threading.Lock(), set()

    def close(self):
        self._folder.cleanup()

    def prepare_once(self, names):
        with self._lock:
            chosen = [self.exercises[name] for name in names if name not in self._prepared]
            self._prepare([exercise for exercise in chosen if exercise.kind != "P"])
            self._prepared.update(names)

    def _prepare(self, chosen):
        """Builds what all submissions share. The folders of the cache can then be entered, but not listed."""
        for exercise in chosen:
            for source in builds.tests_of(exercise):
                builds.compile_test(exercise, source, "runner")
            builds.checker(exercise)
        for name in ("objects", "programs"):
            if (builds.CACHE / name).exists():
                (builds.CACHE / name).chmod(0o711)

    def grade(self, name, files, student):
        """The grade of one exercise, as a dict for JSON; `files` are the student's, by name."""
        exercise = self.exercises[name]
        own = [part for file in sorted(files) for part in (file, files[file])]
        key = builds.digest_of(
            self.seed,
            student if exercise.kind in "PT" else "",
            _digest(exercise.folder),
            *own,
            builds.image(),
        )
        kept = GRADES / f"{name}-{key}.json"
        if kept.exists() and not self.again:
            return json.loads(kept.read_text())
        grade = self._graded(exercise, files, student)
        if running.stopping.is_set():
            raise KeyboardInterrupt
        GRADES.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=GRADES, delete=False) as made:
            json.dump(grade, made)
        os.replace(made.name, kept)
        return grade

    def _graded(self, exercise, files, student):
        lacking = _lacking(exercise)
        if lacking:
            return _description(
                exercise, [(test, "skipped", 0, f"skipped: {lacking}", "") for test in exercise.tests]
            )
        try:
            with sandbox.entered() as box, tempfile.TemporaryDirectory(prefix="submission-") as folder:
                _write(Path(folder), files, box)
                results = self._judged(exercise, Path(folder), student)
        except CourseError:
            raise
        except Exception as error:  # pylint: disable=broad-except
            # Whatever a submission does to the grader costs this exercise alone.
            results = [
                judging.Result(test, False, f"the grader stopped: {type(error).__name__}: {error}")
                for test in exercise.tests
            ]
        return _description(
            exercise,
            [
                (
                    result.test,
                    "passed" if result.passed else "failed",
                    result.points,
                    result.message,
                    result.output,
                )
                for result in results
            ],
        )

    def _judged(self, exercise, folder, student):
        """Two seeds: a test passes if it passes for each."""
        results = judging.judge(exercise, folder, self.seed, student, jobs=1)
        if exercise.kind in "CK" and any(result.passed for result in results):
            again = judging.judge(exercise, folder, self.seed + 1, student, jobs=1)
            results = [old if not old.passed else new for old, new in zip(results, again)]
        return speed.with_points(exercise, folder, results, self.seed)


def _digest(folder):
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return builds.digest_of(
        *[part for path in paths for part in (path.relative_to(folder), path.read_bytes())]
    )


def _prepared(exercise, private, root):
    """The exercise with the instructor's files laid over it, and a copy without answers for the student's
    program."""
    overlay = Path(private) / exercise.name if private else None
    if overlay and overlay.is_dir():
        hidden = Path(tempfile.mkdtemp(dir=root)) / exercise.name  # its name is a secret
        hidden.parent.chmod(0o711)
        shutil.copytree(exercise.folder, hidden)
        shutil.copytree(overlay, hidden, dirs_exist_ok=True)
        exercise = catalogue.Exercise(hidden)
    exercise.shown = root / "shown" / exercise.name
    public.write(exercise, exercise.shown)
    return exercise


def _write(folder, files, box):
    for name, data in files.items():
        (folder / name).write_bytes(data)
        box.give(folder / name)
    box.give(folder)


def _lacking(exercise):
    if "gpu" in exercise.needs and shutil.which("nvidia-smi") is None:
        return "this machine has no GPU"
    if exercise.kind == "P" and not (exercise.folder / "answers.py").exists():
        return "your instructor's grader has the answers"
    return None


def _without_folder(text):
    """A student's file is named alone, not with the folder that it was graded in."""
    return re.sub(r"/[^\s:]*/submission-\w+/", "", text).replace(f"{catalogue.ROOT}/", "")


def _description(exercise, results):
    """Points and verdicts; a skipped test counts neither for nor against the student."""
    tests = [
        {
            "name": test.name,
            "points": points,
            "max": test.points,
            "status": status,
            "message": _without_folder(message),
            "output": _without_folder(output),
            "visibility": test.visibility,
        }
        for test, status, points, message, output in results
    ]
    counted = [test for test in tests if test["status"] != "skipped"]
    return {
        "id": exercise.id,
        "name": exercise.name,
        "step": exercise.step,
        "kind": exercise.kind,
        "tests": tests,
        "points": sum(test["points"] for test in counted),
        "max": sum(test["max"] for test in counted),
    }


def require_open_repository():
    """Programs of another user must be able to read the library's headers and the build."""
    if os.geteuid() != 0:
        return
    with sandbox.entered():
        done = running.run(
            ["/usr/bin/test", "-r", catalogue.FOLDER / "todo.h"], limits={"seconds": 10, "megabytes": 100}
        )
    if done.status != 0:
        raise CourseError(
            f"grade: {catalogue.ROOT} is closed to other users, and students' programs run as one: "
            "open it and the "
            "folders above it (chmod o+rx), or move the repository"
        )
