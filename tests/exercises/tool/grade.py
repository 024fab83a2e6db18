"""./course grade: one submission, or a folder of them."""

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import builds
import catalogue
import grading
import lateness
import results
import sandbox
import similarity
import submission
from errors import CourseError


def grade(options):
    """Returns the exit status: 0, or 1 with --strict if points are missing."""
    _check_options(options)
    grading.require_open_repository()
    for sentence in sandbox.missing():
        print(f"course: {sentence}", flush=True)
    seed = options.seed if options.seed is not None else _kept_seed()
    builds.prepare()
    grader = grading.Grader(seed, options.private, options.again)
    try:
        rows = _graded(grader, options)
    finally:
        grader.close()
    print(f"seed {seed}, version {submission.version()}")
    short = any(row["final"] < results.total(row["grades"])[1] or not row["grades"] for row in rows)
    return 1 if options.strict and short else 0


def prepare(options):
    """Builds the library; with --tests also the tests, so that grading compiles the students' files alone."""
    builds.prepare()
    if options.tests:
        grader = grading.Grader(0, options.private)
        try:
            grader.prepare_once(list(grader.exercises))
        finally:
            grader.close()


def _check_options(options):
    if (options.zip is None) == (options.all is None):
        raise CourseError("grade: name one ZIP, or --all DIR")
    if options.zip and (options.csv or options.similarity):
        raise CourseError("grade: --csv and --similarity belong to --all DIR")
    if options.all and (options.json or options.student):
        raise CourseError("grade: --json and --student belong to one ZIP")
    if options.all and not options.csv:
        raise CourseError("grade: --all DIR needs --csv FILE")
    if options.private and not Path(options.private).is_dir():
        raise CourseError(f"grade: --private {options.private} is not a folder")
    if (
        not 0 <= options.late_cap <= 100
        or options.late_percent < 0
        or options.late_days < 0
        or options.jobs < 1
    ):
        raise CourseError(
            "grade: --late-cap is 0 to 100; --late-percent and --late-days are not negative; --jobs is at least 1"
        )


def _kept_seed():
    """Drawn once in this build, so that grades are kept and a regrade repeats them."""
    path = grading.GRADES / "seed"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(1000 + secrets.randbelow(10**9)))
    return int(path.read_text())


def _graded(grader, options):
    if options.all is None:
        row = _row(grader, Path(options.zip), options, options.jobs)
        if row["error"]:
            raise CourseError(row["error"])
        results.show(row)
        if options.json:
            results.write_json(options.json, row, grader.seed, submission.version())
        return [row]
    before, paths = results.read_csv(options.csv), _submissions(options.all)
    with ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda path: _told(_row(grader, path, options, 1)), paths))
    ids = [
        exercise.id
        for exercise in catalogue.exercises()
        if any(exercise.id == grade["id"] for row in rows for grade in row["grades"])
    ]
    _note_same_student(rows)
    results.write_csv(options.csv, rows, ids, before)
    print(f"{len(rows)} submissions, {len(ids)} exercises: {options.csv}")
    for line in results.changes(rows, before):
        print(f"  changed  {line}")
    if options.similarity:
        similarity.report(options.similarity, [(row["file"], row["files"]) for row in rows])
    return rows


def _submissions(folder):
    if not Path(folder).is_dir():
        raise CourseError(f"grade: --all {folder} is not a folder")
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() == ".zip")
    if not paths:
        raise CourseError(f"grade: --all {folder} has no .zip file")
    return paths


def _told(row):
    points, largest = results.total(row["grades"])
    print(f"  {row['file']}: {row['error'] or f'{points:g} of {largest:g}'}", flush=True)
    return row


def _row(grader, path, options, jobs):
    """The grades of one submission; one that cannot be read has none, and a note that says why."""
    row = {
        "file": path.name,
        "student": "",
        "grades": [],
        "notes": [],
        "days_late": 0,
        "final": 0,
        "files": {},
        "error": None,
    }
    try:
        handed_in = submission.read(path, options.student)
    except CourseError as error:
        return {**row, "notes": [str(error)], "error": str(error)}
    names = [name for name in _wanted(options) if name in handed_in.files or options.exercises]
    if not names:
        handed_in.notes.append("no file of any exercise is in it")
    grader.prepare_once(names)
    with ThreadPoolExecutor(jobs) as pool:
        grades = list(
            pool.map(lambda name: grader.grade(name, handed_in.files.get(name, {}), handed_in.student), names)
        )
    days = lateness.days_late(lateness.parse_due(options.due), path.stat().st_mtime) if options.due else 0
    points = results.total(grades)[0]
    return {
        **row,
        "student": handed_in.student,
        "grades": grades,
        "notes": handed_in.notes,
        "days_late": days,
        "final": lateness.after_cost(points, days, options),
        "files": handed_in.files,
    }


def _wanted(options):
    """With --exercises, what is not handed in counts as 0 points."""
    if options.exercises:
        return [catalogue.find(name).name for name in options.exercises.split(",")]
    return [exercise.name for exercise in catalogue.exercises()]


def _note_same_student(rows):
    for row in rows:
        others = [
            other["file"]
            for other in rows
            if other is not row and row["student"] and other["student"] == row["student"]
        ]
        if others:
            row["notes"].append(f"the same student id is in {', '.join(others)}")


def add_options(verb):
    verb.add_argument("zip", nargs="?")
    for flag in (
        "--all",
        "--csv",
        "--json",
        "--private",
        "--similarity",
        "--student",
        "--exercises",
        "--due",
    ):
        verb.add_argument(flag)
    for flag in ("--again", "--strict"):
        verb.add_argument(flag, action="store_true")
    verb.add_argument("--seed", type=int)
    verb.add_argument("--jobs", type=int, default=os.cpu_count())
    verb.add_argument("--late-days", type=int, default=0)
    verb.add_argument("--late-percent", type=float, default=10)
    verb.add_argument("--late-cap", type=float, default=100)
