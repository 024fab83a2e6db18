"""./course exercise verify: every starter fails all of its tests, the solution passes all, each wrong answer
fails the test that it names with the message that it names, and texts and hints are there. Results are kept
until something changes.
"""

import json
import os
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import builds
import catalogue
import judging
import learner
import paper
from errors import CourseError

SEEDS, MANY_SEEDS = 2, 8  # of the solution
STUDENTS = [f"student{i}" for i in range(20)]
FAILS = re.compile(r"^(?://|#)@fails (.*?)\s*\|\s*(.*?)\s*$", re.M)
HANDED_IN_BY = re.compile(r"^(?://|#)@student (.*?)\s*$", re.M)
VERIFIER = "verify"  # the student's id of committed solutions
README_SECTIONS = ["## Task", "## What is checked", "## What to expect"]


class Report:
    def __init__(self, exercise):
        self.exercise, self.problems = exercise, []
        self.starter = self.solution = self.wrong = 0

    def need(self, condition, problem):
        if not condition:
            self.problems.append(problem)
        return bool(condition)


def verify(options):
    """Returns the exit status."""
    if options.seeds is not None and options.seeds < 1:
        raise CourseError(f"verify: --seeds {options.seeds}: at least 1")
    chosen = [catalogue.find(name) for name in options.ids] or catalogue.exercises()
    builds.prepare()
    began = time.monotonic()
    seeds = list(range(1, 1 + (options.seeds or (MANY_SEEDS if options.full else SEEDS))))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(lambda exercise: _kept_report(exercise, seeds, options), chosen))
    for report in reports:
        for problem in report.problems:
            print(f"{report.exercise.id}: {problem}")
    bad = [report for report in reports if report.problems]
    print(
        f"{len(reports)} exercises: {sum(report.starter for report in reports)} starters fail, "
        f"{sum(report.solution for report in reports)} solutions pass, "
        f"{sum(report.wrong for report in reports)} wrong answers fail; "
        f"{len(bad)} exercises with problems ({time.monotonic() - began:.0f} s)"
    )
    return 1 if bad else 0


def _kept_report(exercise, seeds, options):
    files = [
        path
        for path in sorted(exercise.folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    library = [path.stat().st_mtime_ns for path in sorted(builds.BUILD.glob("**/lib*.a"))]
    contents = [part for path in files + builds.tool_files() for part in (path.name, path.read_bytes())]
    path = builds.CACHE / "verified" / f"{exercise.name}-{builds.digest_of(*contents, seeds, library)}.json"
    report = Report(exercise)
    if path.exists() and not options.again:
        report.__dict__.update(json.loads(path.read_text()))
        return report
    try:
        _verify(report, seeds, options.verbose)
    except (CourseError, builds.CompileError, OSError, KeyError) as error:
        report.problems.append(str(error))
    if not report.problems:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"starter": report.starter, "solution": report.solution, "wrong": report.wrong})
        )
    return report


def _verify(report, seeds, verbose):
    exercise = report.exercise
    _verify_texts(report)
    if exercise.kind == "P":
        return _verify_paper(report, verbose)
    _verify_cases(report)
    with tempfile.TemporaryDirectory(prefix="exercise-") as folder:
        _verify_starter(report, Path(folder) / "starter")
        _verify_solution(report, Path(folder) / "solution", seeds)
        for name, (files, note) in exercise.wrong().items():
            _verify_wrong(report, Path(folder) / name, name, files, note, verbose)
    report.need(report.wrong > 0, "wrong/ has no wrong answer")


def _verify_texts(report):
    exercise = report.exercise
    missing = [
        name for name in ("README.md", "hints.md", "answers.md") if not (exercise.folder / name).exists()
    ]
    if not report.need(not missing, f"{', '.join(missing)} missing"):
        return
    report.need(len(learner.hints(exercise)) >= 3, "hints.md needs at least three sections (## ...)")
    for section in README_SECTIONS:
        report.need(section in exercise.text("README.md"), f"README.md has no section '{section}'")
    report.need(
        "## Oral question" in exercise.text("answers.md"), "answers.md has no section '## Oral question'"
    )
    for path in sorted((exercise.folder / "wrong").glob("[!_]*")):
        report.need(
            f"`{path.stem}`" in exercise.text("answers.md"), f"answers.md does not explain {path.stem}"
        )
    for name in exercise.edit:
        if Path(name).suffix in builds.SOURCES:
            report.need(
                f"@solution {exercise.id}" in exercise.text(name), f"{name} has no //@solution {exercise.id}"
            )


def _verify_cases(report):
    exercise = report.exercise
    if exercise.kind == "M":
        return
    done = judging.running.run([builds.checker(exercise), "--list"], limits=exercise.limits)
    cases, tests = set(done.output.splitlines()), {test.name for test in exercise.tests}
    report.need(cases == tests, f"test.cpp and exercise.json differ: {sorted(cases ^ tests)}")


def _write(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        if content is not None:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def _verify_starter(report, folder):
    results = judging.judge(
        report.exercise, _write(folder, report.exercise.starter()), 1, VERIFIER, werror=True
    )
    compiles = not any("does not compile" in result.message for result in results)
    report.need(compiles, f"the starter {results[0].message} {results[0].output}")
    passed = [result.test.name for result in results if result.passed]
    report.starter = int(report.need(not passed, f"the starter passes: {', '.join(passed)}") and compiles)


def _verify_solution(report, folder, seeds):
    _write(folder, report.exercise.solution())
    failures = []
    for seed in seeds:
        results = judging.judge(report.exercise, folder, seed, VERIFIER, werror=True)
        failures += [
            f"seed {seed}, {result.test.name}: {result.message} {result.output}"
            for result in results
            if not result.passed
        ]
    report.solution = int(report.need(not failures, f"the solution fails: {'; '.join(failures[:2])}"))


def _verify_wrong(report, folder, name, files, note, verbose):
    expected = FAILS.search(note)
    if not report.need(expected, f"wrong/{name} has no line //@fails TEST | part of the message"):
        return
    other = HANDED_IN_BY.search(note)
    results = judging.judge(report.exercise, _write(folder, files), 1, other[1] if other else VERIFIER)
    failed = {result.test.name: result.message for result in results if not result.passed}
    if verbose:
        print(f"{report.exercise.id} wrong/{name}:")
        for test, message in failed.items():
            print(f"    {test}: {message}")
    test, part = expected[1], expected[2]
    good = test in failed and part in failed[test]
    report.wrong += report.need(
        good, f"wrong/{name} should fail '{test}' with '{part}'; it fails {failed or 'nothing'}"
    )


def _verify_paper(report, verbose):
    exercise, bad = report.exercise, 0
    for student in STUDENTS:
        p = paper.parameters(exercise, student)
        right = paper.right_answers(exercise, p)
        for answers, expected in [({}, "is not answered yet"), (right, None)] + [
            (wrong, text) for _, text, wrong in paper.mistakes(exercise, p)
        ]:
            bad += _paper_problems(
                report, student, {**right, **answers} if answers else {}, answers, expected
            )
    wrong = paper.mistakes(exercise, paper.parameters(exercise, STUDENTS[0]))
    for name, text, _ in wrong if verbose else []:
        print(f"{exercise.id} wrong/{name}: {text}")
    report.need(wrong, "wrong/ has no wrong answer")
    report.starter, report.solution, report.wrong = (1, 1, len(wrong)) if bad == 0 else (0, 0, 0)


def _paper_problems(report, student, sheet, changed, expected):
    """Judges one sheet: the entries in `changed` must fail with the expected text (None: all must pass)."""
    exercise = report.exercise
    with tempfile.TemporaryDirectory(prefix="exercise-") as folder:
        (Path(folder) / exercise.edit[0]).write_text(paper.sheet(exercise, student, sheet))
        verdicts = paper.verdicts(exercise, Path(folder), student)
    if expected is None:
        good = all(passed for _, passed, _ in verdicts)
    else:
        good = all(
            not passed and expected in message
            for test, passed, message in verdicts
            if not changed or test.name in changed
        )
    report.need(
        good, f"{student}: expected {expected or 'a pass'}; got {[message for _, _, message in verdicts]}"
    )
    return int(not good)
