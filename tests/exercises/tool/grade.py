"""./course grade: one submission, or a folder of them."""

import itertools
import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import builds
import catalogue
import grading
import lateness
import results
import running
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
    before = results.read_csv(options.csv) if options.all else {}
    builds.prepare()
    seed = next(seed for seed in (options.seed, results.seed_of(before), _kept_seed()) if seed is not None)
    grader = grading.Grader(seed, options.private, options.again)
    pins = {"seed": seed, "image": builds.image(), "version": submission.version()}
    try:
        rows = (
            _all_graded(grader, options, before, pins)
            if options.all
            else [_one_graded(grader, options, pins)]
        )
    except KeyboardInterrupt:
        print(
            "course: grade: interrupted; what is graded is kept, so the same command continues",
            file=sys.stderr,
        )
        return 130
    finally:
        grader.close()
    print(", ".join(f"{key} {value}" for key, value in pins.items()))
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
            "grade: --late-cap is 0 to 100; --late-percent and --late-days are not negative; --jobs "
            "is at least 1"
        )


def _kept_seed():
    """Drawn once in this build, so that grades are kept and a regrade repeats them."""
    path = grading.GRADES / "seed"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(1000 + secrets.randbelow(10**9)))
    return int(path.read_text())


def _one_graded(grader, options, pins):
    row = _row(grader, Path(options.zip), options, options.jobs)
    if row["error"]:
        raise CourseError(row["error"])
    results.show(row)
    if options.json:
        results.write_json(options.json, row, pins)
    return row


def _all_graded(grader, options, before, pins):
    paths, done = _submissions(options.all), itertools.count(1)

    def told(path):
        row = _row(grader, path, options, 1)
        points, largest = results.total(row["grades"])
        verdict = row["error"] or f"{points:g} of {largest:g}"
        sys.stdout.write(f"  [{next(done)}/{len(paths)}] {row['file']}: {verdict}\n")
        sys.stdout.flush()
        return row

    rows = _in_parallel(told, paths, options.jobs)
    ids = [
        exercise.id
        for exercise in catalogue.exercises()
        if any(exercise.id == grade["id"] for row in rows for grade in row["grades"])
    ]
    _note_same_student(rows)
    results.write_csv(options.csv, rows, ids, before, pins)
    print(f"{len(rows)} submissions, {len(ids)} exercises: {options.csv}")
    if before:
        _show_changes(rows, before, pins, options.csv)
    if options.similarity:
        similarity.report(options.similarity, [(row["file"], row["files"]) for row in rows])
    return rows


def _in_parallel(work, items, jobs):
    """Ctrl-C ends the programs that run, and no others are started."""
    pool = ThreadPoolExecutor(jobs)
    try:
        return list(pool.map(work, items))
    except BaseException:
        running.stopping.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _show_changes(rows, before, pins, path):
    changes = results.changes(rows, before)
    differing = results.pins_that_differ(before, pins)
    print(
        f"  {len(changes) or 'none'} changed since the last {path}"
        + "".join(f"; {text}" for text in differing)
    )
    for line in changes:
        print(f"  changed  {line}")


def _submissions(folder):
    if not Path(folder).is_dir():
        raise CourseError(f"grade: --all {folder} is not a folder")
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() == ".zip")
    if not paths:
        raise CourseError(f"grade: --all {folder} has no .zip file")
    return paths


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
    grades = _in_parallel(
        lambda name: grader.grade(name, handed_in.files.get(name, {}), handed_in.student), names, jobs
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
