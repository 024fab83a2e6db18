"""A student's own files: work/NN.M_name/, and work/student with the student's id. Nothing there is
ever overwritten."""

import json
import time

import paper
from catalogue import ROOT
from errors import CourseError

WORK = ROOT / "work"


def student():
    path = WORK / "student"
    return path.read_text().strip() if path.exists() else "nobody"


def student_is_known():
    return (WORK / "student").exists()


def set_student(name):
    if not name.strip() or len(name) > 200:
        raise CourseError("--student needs an id: the one that your course knows you by")
    WORK.mkdir(exist_ok=True)
    (WORK / "student").write_text(name.strip() + "\n")


def folder(exercise):
    return WORK / exercise.name


def started(exercise):
    return folder(exercise).is_dir()


def require_started(exercise):
    if not started(exercise):
        raise CourseError(f"{exercise.id} is not started: ./course exercise start {exercise.id}")
    return folder(exercise)


def write_starter(exercise):
    """Writes the files that do not exist yet. Returns the names of all files to edit."""
    where = folder(exercise)
    where.mkdir(parents=True, exist_ok=True)
    for name, text in exercise.starter().items():
        text = paper.sheet(exercise, student()) if exercise.kind == "P" else text
        if text is not None and not (where / name).exists():
            (where / name).write_text(text)
    return [str((where / name).relative_to(ROOT)) for name in exercise.edit]


def set_aside(exercise):
    """Renames the folder, so that the starter can be written again. Returns the new name."""
    where = require_started(exercise)
    stem = f"{exercise.name}.old-{time.strftime('%Y%m%d-%H%M%S')}"
    kept, count = WORK / stem, 2
    while kept.exists():
        kept, count = WORK / f"{stem}-{count}", count + 1
    where.rename(kept)
    return kept.relative_to(ROOT)


def state(exercise):
    try:
        return json.loads((folder(exercise) / ".state.json").read_text())
    except (OSError, ValueError):
        return {}


def remember(exercise, **changes):
    path = folder(exercise) / ".state.json"
    path.write_text(json.dumps({**state(exercise), **changes}) + "\n")
