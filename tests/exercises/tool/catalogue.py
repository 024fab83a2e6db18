"""The exercises: the folders tests/exercises/NN.M_name, each with an exercise.json."""

import json
import re
from pathlib import Path

import regions
from errors import CourseError

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests" / "exercises"
FIELDS = {"id", "title", "step", "kind", "edit", "tests", "difficulty", "minutes", "needs"}
OPTIONAL = {"limits", "banned", "orders", "program", "sanitize"}
KINDS = {"C": "C++", "K": "kernel", "P": "paper", "M": "test", "T": "trained model"}
NEEDS = {"cpu", "executor", "gpu", "data"}
VISIBILITIES = ["visible", "hidden", "after_due_date", "after_published"]  # as in Gradescope's results.json
SOURCES = {".cpp", ".cu"}
TEXTS = SOURCES | {".h", ".cuh", ".py"}  # annotated with regions
OWN_FILES = {
    "README.md",
    "hints.md",
    "answers.md",
    "exercise.json",
    "test.cpp",
    "hidden.cpp",
    "parameters.py",
    "answers.py",
    "subject.cpp",
}


class Test:
    def __init__(self, fields, where):
        extra = set(fields) - {"name", "points", "visibility", "tolerance", "speed"}
        if extra or not fields.get("name") or not isinstance(fields.get("points"), (int, float)):
            raise CourseError(
                f"{where}: a test has a name, points, and perhaps visibility, tolerance and speed; "
                f"got {fields}"
            )
        self.name, self.points = fields["name"], fields["points"]
        self.visibility = fields.get("visibility", "visible")
        self.tolerance, self.speed = fields.get("tolerance", 0), fields.get("speed", False)
        if self.visibility not in VISIBILITIES:
            raise CourseError(
                f"{where}: visibility is {self.visibility}, expected one of {', '.join(VISIBILITIES)}"
            )


class Exercise:
    def __init__(self, folder):
        self.folder, self.name = Path(folder), Path(folder).name
        self.shown = (
            self.folder
        )  # what a student's program may read: grading replaces it by a copy without the answers
        fields = self._read()
        self.id, self.title, self.step, self.kind = (fields[key] for key in ("id", "title", "step", "kind"))
        self.edit, self.difficulty = fields["edit"], fields["difficulty"]
        self.minutes, self.needs = fields["minutes"], fields["needs"]
        self.limits = {"seconds": 10, "megabytes": 2048, **fields.get("limits", {})}
        self.banned = fields.get("banned", [])
        self.orders = fields.get("orders", 4 if self.kind == "K" else 1)
        self.program = fields.get("program")
        self.sanitize = fields.get("sanitize", self.kind in "CM")  # kernels have the executor's tracer
        self.tests = [Test(test, self._json()) for test in fields["tests"]]
        self._check(fields)

    def _json(self):
        return f"{self.folder.parent.name}/{self.name}/exercise.json"

    def _read(self):
        try:
            fields = json.loads((self.folder / "exercise.json").read_text())
        except (OSError, ValueError) as error:
            raise CourseError(f"{self._json()}: {error}") from None
        missing, unknown = FIELDS - set(fields), set(fields) - FIELDS - OPTIONAL
        if missing or unknown:
            what = (
                f"lacks {', '.join(sorted(missing))}"
                if missing
                else f"has unknown {', '.join(sorted(unknown))}"
            )
            raise CourseError(f"{self._json()}: {what}")
        return fields

    def _check(self, fields):
        names = [test.name for test in self.tests]
        wrong = None
        if not self.name.startswith(self.id + "_"):
            wrong = f"id is {self.id}, but the folder is {self.name}"
        elif self.kind not in KINDS:
            wrong = f"kind is {self.kind}, expected one of {', '.join(KINDS)}"
        elif not set(self.needs) <= NEEDS:
            wrong = f"needs has {self.needs}, expected some of {', '.join(sorted(NEEDS))}"
        elif not names or len(set(names)) != len(names):
            wrong = "tests must have different names, and there must be at least one"
        elif not 1 <= self.difficulty <= 5:
            wrong = f"difficulty is {self.difficulty}, expected 1 to 5"
        if wrong:
            raise CourseError(f"{self._json()}: {wrong}")

    @property
    def points(self):
        return sum(test.points for test in self.tests)

    @property
    def world(self):
        """What the student's code is linked with: the library, or the library with the kernel executor."""
        return "kernels" if self.kind == "K" else "library"

    def given(self):
        """The files that the student's code may include: everything else beside the annotated sources."""
        files = [path for path in sorted(self.folder.iterdir()) if path.is_file()]
        return [path for path in files if path.name not in OWN_FILES and path.name not in self.edit]

    def text(self, name):
        return (self.folder / name).read_text()

    def starter(self):
        return {name: self._starter_file(name) for name in self.edit}

    def _starter_file(self, name):
        if self.kind == "P":
            return ""  # written with the student's parameters
        if Path(name).suffix not in TEXTS or not (self.folder / name).exists():
            return None  # the student makes this file
        return regions.starter(self.text(name), f"{self.name}/{name}")

    def has_solution(self):
        """A handout has none."""
        return (
            self.kind != "P"
            and (self.folder / "solution").is_dir()
            or any("@solution" in self._annotated(name) for name in self.edit)
        )

    def solution(self):
        """The files of the solution; binary ones (a trained model) are in solution/."""
        files = {}
        for name in self.edit:
            binary = self.folder / "solution" / name
            files[name] = (
                binary.read_bytes()
                if binary.exists()
                else regions.solution(self._annotated(name), f"{self.name}/{name}")
            )
        return files

    def wrong(self):
        """The wrong answers by name: their files, and the text of the file that says what must fail."""
        answers = {}
        folder = self.folder / "wrong"
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.suffix != ".py" and path.name != "__pycache__":
                answers[path.stem] = self._wrong_files(path)
        return answers

    def _wrong_files(self, path):
        files, note = self.solution(), ""
        for part in sorted(path.iterdir()) if path.is_dir() else [path]:
            name = part.name if path.is_dir() else self._replaced_by(part)
            if part.name != "fails" and Path(name).suffix not in TEXTS:
                files[name] = part.read_bytes()  # a trained model
                continue
            text = part.read_text()
            note += text + "\n"
            if part.name != "fails":
                files[name] = regions.variant(
                    self._annotated(name), f"{self.name}/{name}", text, f"{self.name}/wrong/{part.name}"
                )
        return files, note

    def _annotated(self, name):
        return self.text(name) if (self.folder / name).exists() else ""

    def _replaced_by(self, path):
        same = [name for name in self.edit if Path(name).suffix == path.suffix]
        if len(same) != 1:
            raise CourseError(
                f"{self.name}/wrong/{path.name} replaces which of {', '.join(self.edit)}? "
                f"Put it at wrong/{path.stem}/FILE"
            )
        return same[0]


def exercises():
    return [Exercise(path.parent) for path in sorted(FOLDER.glob("*_*/exercise.json"), key=_order)]


def _order(path):
    return _rank(path.parent.name.split("_")[0])


def _rank(exercise_id):
    letters = re.match(r"([A-Z]*)(\d+)(?:\.(\d+))?$", exercise_id)
    return (
        ("", 0, 0)
        if letters is None
        else ({"W": "0", "": "1"}.get(letters[1], "2"), int(letters[2]), int(letters[3] or 0))
    )


def find(name):
    """The exercise with this id or folder name: 8.1, 08.1 or 08.1_online_softmax."""
    number = re.match(r"(\d+)\.(\d+)$", name)
    wanted = (
        f"{int(number[1]):02}.{number[2]}"
        if number
        else name.upper() if re.match(r"[wWeE]\d+$", name) else name
    )
    found = [
        path
        for path in FOLDER.glob("*_*/exercise.json")
        if path.parent.name.split("_")[0] == wanted or path.parent.name == wanted
    ]
    if not found:
        raise CourseError(f"no exercise {name}; ./course exercise lists them")
    return Exercise(found[0].parent)
