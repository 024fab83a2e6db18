"""./course handout: a copy of the repository for students. No solution, wrong answer, hidden test, later step
or .git is in it; it builds, and its exercises can be checked."""

import hashlib
import re
import shutil
from pathlib import Path

import catalogue
import public
import tree
from errors import CourseError

EXERCISES = "tests/exercises/"
LEFT_OUT = re.compile(
    r"(\.ci/|\.github/|docs/(site|timing|figures)/|docs/teaching\.md|"
    r"tests/exercises/(tool/(grading_)?tests\.py|autograder/))"
)


def handout(options):
    first, last = _steps(options.steps)
    chosen = _exercises(options.exercises, first, last)
    out = Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CourseError(f"handout: {out} is there already: name a new folder")
    names = [name for name in tree.files() if _is_shown(name, last)]
    for name in names:
        tree.copy(name, out)
    for exercise in chosen:
        public.write(exercise, out / EXERCISES / exercise.name)
    _finish(out)
    print(f"{out}: {len(chosen)} exercises, steps 01 to {last:02}")
    print(
        f"  students run  ./course exercise, "
        f"./course exercise start {chosen[0].id} --student THEIR_ID, ./course submit {chosen[0].id}"
    )


def _steps(text):
    numbers = [
        int(path.name[:2]) for path in sorted((catalogue.ROOT / "steps").iterdir()) if path.name[:2].isdigit()
    ]
    if text is None:
        return numbers[0], numbers[-1]
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if (
        match is None
        or not int(match[1]) <= int(match[2])
        or int(match[2]) not in numbers
        or int(match[1]) not in numbers
    ):
        raise CourseError(
            f"handout: --steps {text}: expected a range like 1-8, within {numbers[0]}-{numbers[-1]}"
        )
    return int(match[1]), int(match[2])


def _exercises(words, first, last):
    """The steps are cumulative: all up to the last are handed out, with the exercises of those in the
    range."""
    if words:
        chosen = [catalogue.find(word) for word in words.split(",")]
    else:
        chosen = [exercise for exercise in catalogue.exercises() if first <= _step(exercise) <= last]
    late = [exercise.id for exercise in chosen if _step(exercise) > last]
    if late or not chosen:
        raise CourseError(
            f"handout: {late[0]} belongs to a later step than {last}"
            if late
            else "handout: these steps have no exercise"
        )
    return chosen


def _step(exercise):
    number = re.match(r"\d+", exercise.step or "")
    return int(number[0]) if number else 1


def _is_shown(name, last):
    if LEFT_OUT.match(name) or not tree.is_for_exercises(name):
        return False
    if name.startswith(EXERCISES) and re.match(r"[A-Z0-9]+\.?\d*_", name[len(EXERCISES) :]):
        return False  # an exercise's folder
    step = re.match(r"(?:steps|docs)/(\d\d)_", name)
    return step is None or int(step[1]) <= last


def _finish(out):
    """work/ is kept by git, for those who collect repositories; VERSION says what the student had."""
    ignored = out / ".gitignore"
    ignored.write_text(ignored.read_text().replace("/work/\n", "/work/submission.zip\n/work/*/.state.json\n"))
    workflow = out / ".github" / "workflows"
    workflow.mkdir(parents=True)
    shutil.copy(catalogue.FOLDER / "autograder" / "classroom.yml", workflow / "classroom.yml")
    digest = hashlib.sha256()
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(out)).encode() + b"\0" + path.read_bytes())
    (out / EXERCISES / "VERSION").write_text(digest.hexdigest()[:12] + "\n")
