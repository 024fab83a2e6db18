"""Judges a folder with a student's files: a Result for each test of the exercise."""

import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import builds
import paper
import running
from catalogue import ROOT

TODO_STATUS = 77  # todo.h
COST_DIGITS = 20  # main.cpp: the end of the values of a traced runner
# Names that no exercise needs, and that a program could use to get around its tests.
BANNED = [
    "system",
    "popen",
    "fork",
    "vfork",
    "execv",
    "execve",
    "execl",
    "dlopen",
    "dlsym",
    "ptrace",
    "syscall",
    "asm",
    "__asm__",
    "take_counts",
    "reset_peak",
]


class Result:
    def __init__(self, test, passed, message="", output=""):
        self.test, self.passed, self.message, self.output = test, passed, message, output
        self.share = 1  # of the points: less if the work is slow

    @property
    def points(self):
        return round(self.test.points * self.share, 2) if self.passed else 0


def judge(exercise, folder, seed, student="", jobs=None, werror=False):
    """A Result for each of the exercise's tests; a program that does not compile fails all of them."""
    if exercise.kind == "P":
        return [Result(*verdict) for verdict in paper.verdicts(exercise, folder, student)]
    complaint = missing_files(exercise, folder) or banned_words(exercise, folder)
    if complaint:
        return [Result(test, False, complaint) for test in exercise.tests]
    try:
        if exercise.kind == "M":
            return _judge_mutants(exercise, folder, seed, werror)
        runner, checker = builds.runner(exercise, folder, werror=werror), builds.checker(exercise)
    except builds.CompileError as error:
        return [Result(test, False, first_error(str(error)), str(error)) for test in exercise.tests]
    if jobs == 1:  # in this thread, which may be in a sandbox
        return [
            _judge_case(exercise, folder, runner, checker, test, seed, student) for test in exercise.tests
        ]
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        return list(
            pool.map(
                lambda test: _judge_case(exercise, folder, runner, checker, test, seed, student),
                exercise.tests,
            )
        )


def missing_files(exercise, folder):
    """Of a trained model only the sources must be there: a student checks these before training."""
    needed = [name for name in exercise.edit if exercise.kind != "T" or Path(name).suffix in builds.SOURCES]
    missing = [name for name in needed if not (folder / name).exists()]
    return f"{missing[0]} is missing" if missing else None


def first_error(text):
    lines = [line for line in text.splitlines() if "error" in line or "undefined reference" in line]
    return "does not compile: " + (lines[0] if lines else text.strip().splitlines()[0])


def without_comments(text):
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.S)


def banned_words(exercise, folder):
    for name in exercise.edit:
        path = folder / name
        if path.suffix not in builds.SOURCES | {".h", ".cuh"}:
            continue
        includes = "\n".join(
            re.findall(r"^\s*#\s*include[^\n]*", path.read_text(errors="replace"), flags=re.M)
        )
        text = without_comments(path.read_text(errors="replace")) + "\n" + includes
        for word in BANNED + exercise.banned:
            if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text):
                return f"{name} uses {word}, which this exercise does not allow"
    return None


def _judge_case(exercise, folder, runner, checker, test, seed, student):
    """Kernels run in order, then in random orders of threads and blocks, and must give the same values."""
    values = None
    for order in range(exercise.orders):
        outcome = run_case(exercise, folder, runner, test.name, seed, order, student)
        if order > 0 and outcome.status == 0 and outcome.values != values:
            return Result(
                test,
                False,
                "the values depend on the order in which threads run: a race, or a sum whose order changes",
            )
        values = outcome.values
        words = [checker, "--case", test.name, "--seed", seed]
        told = running.run(
            words,
            limits={"seconds": 60, "megabytes": 4096},
            environment=_environment(exercise, student=student),
            stdin=values,
            folder=folder,
        )
        verdict = _verdict(told)
        if not verdict["pass"]:
            reason = explain(outcome, runner, exercise) or verdict["message"]
            return Result(test, False, reason, outcome.output)
        if outcome.status != 0:  # it wrote everything, and then it crashed
            return Result(
                test, False, explain(outcome, runner, exercise) or "the program failed", outcome.output
            )
    return Result(test, True)


def _environment(exercise, order=0, student=""):
    """A trained model depends on the student's id; nothing else may, since grades are kept without it."""
    student = student.replace("\0", "").encode(errors="replace").decode() if exercise.kind == "T" else ""
    return {
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C",
        "EXECUTOR_SEED": str(order),
        "EXERCISE_FOLDER": str(exercise.folder),
        "COURSE_ROOT": str(ROOT),
        "STUDENT": student,
    }


def run_case(exercise, folder, runner, case, seed, order=0, student=""):
    environment, limits = {
        **_environment(exercise, order, student),
        "EXERCISE_FOLDER": str(exercise.shown),
    }, exercise.limits
    if exercise.sanitize:
        environment["ASAN_OPTIONS"] = (
            f"detect_leaks=0:quarantine_size_mb=32:hard_rss_limit_mb={limits['megabytes']}"
        )
        limits = {**limits, "megabytes": None}
    return running.run(
        [runner, "--case", case, "--seed", seed],
        limits=limits,
        values=True,
        environment=environment,
        folder=folder,
    )


def _verdict(told):
    try:
        return json.loads(told.output.splitlines()[-1])
    except (ValueError, IndexError):
        return {"pass": False, "message": f"the checker failed: {told.output.strip()[-200:]}"}


def explain(outcome, runner, exercise):
    """Why a program ended early, in one line; None if it did not, or if it threw what the checker reports."""
    if outcome.timed_out or outcome.status == -signal.SIGXCPU:
        return (
            f"no result after {exercise.limits['seconds']} s: does a loop never end, or is it far too slow?"
        )
    if outcome.status == TODO_STATUS:
        return (
            outcome.output.strip().splitlines()[-1].replace(str(ROOT) + "/", "")
            if outcome.output.strip()
            else "not written yet"
        )
    if "hard rss limit exhausted" in outcome.output:  # AddressSanitizer's words
        return f"more than {exercise.limits['megabytes']} MB of memory: does a loop store without end?"
    sanitizer = re.search(r"(ERROR: AddressSanitizer: [^\n]*? on |runtime error: [^\n]*)", outcome.output)
    if sanitizer:
        return _sanitizer_report(sanitizer[1], outcome.output, exercise)
    if outcome.status in (0, 1):
        return None
    executor = re.search(r"executor: (.*)\n  in (.*?), (block .*)", outcome.output)
    if executor:
        kernel = re.sub(r"\(anonymous namespace\)::|\(.*", "", executor[2])
        return f"{in_source(executor[1], runner)} ({kernel}, {executor[3]})"
    if "terminate called" in outcome.output or outcome.status == -signal.SIGABRT:
        lines = [line for line in outcome.output.strip().splitlines() if line] or ["aborted"]
        return f"the program aborted: {lines[-1]}"
    if outcome.status < 0:
        return f"the program crashed ({signal.Signals(-outcome.status).name}): an index out of bounds?"
    return f"the program ended early, with exit status {outcome.status}"


def _sanitizer_report(what, output, exercise):
    """The error, and the first line of the student's files that it is about."""
    names = "|".join(re.escape(name) for name in exercise.edit)
    place = re.search(rf"/({names}):(\d+)", output)
    what = what.replace("ERROR: AddressSanitizer: ", "AddressSanitizer: ").removesuffix(" on ")
    return f"{what} at {place[1]}:{place[2]}" if place else what


def in_source(message, runner):
    """Replaces each `pc 0x123` of the tracer's messages by the file and line."""
    message = re.sub(r"(?:/[^\s:]*/)+([^\s/:]+:\d+)", r"\1", message)
    return re.sub(r"pc (0x[0-9a-f]+)", lambda pc: _line_of(pc[1], runner), message)


def _line_of(pc, runner):
    done = subprocess.run(
        ["addr2line", "-i", "-e", str(runner), pc], capture_output=True, text=True, check=False
    )
    frames = [
        line.split(" ")[0] for line in done.stdout.splitlines() if ":" in line and not line.startswith("??")
    ]
    own = [
        frame
        for frame in frames
        if not frame.startswith((str(ROOT / "common"), str(ROOT / "tests" / "executor"), "/usr"))
    ]
    return Path((own or frames or ["an unknown line"])[0]).name


# ---- M: the student's test must pass the right version, and fail each mutant


def _judge_mutants(exercise, folder, seed, werror):
    """The first test is the right version (subject.cpp); the others are mutants, by name."""
    right = _complaint(exercise, folder, exercise.folder / "subject.cpp", seed, werror)
    if right is not None:
        return [
            Result(
                test,
                False,
                (
                    f"your test fails the right version: {right}"
                    if i == 0
                    else "your test must pass the right version first"
                ),
            )
            for i, test in enumerate(exercise.tests)
        ]
    results = [Result(exercise.tests[0], True)]
    for test in exercise.tests[1:]:
        mutant = exercise.folder / "mutants" / f"{test.name}.cpp"
        killed = _complaint(exercise, folder, mutant, seed, werror) is not None
        note = mutant.read_text().splitlines()[0].lstrip("/ ")
        results.append(Result(test, killed, "" if killed else f"your test passes a faulty version: {note}"))
    return results


def _complaint(exercise, folder, subject, seed, werror):
    """What the student's test has against this version of the subject; None: nothing."""
    runner = builds.runner(exercise, folder, subject, werror)
    outcome = run_case(exercise, folder, runner, "verdict", seed)
    told = running.run(
        [builds.checker(exercise), "--case", "verdict", "--seed", seed],
        limits={"seconds": 60, "megabytes": 4096},
        environment=_environment(exercise),
        stdin=outcome.values,
        folder=folder,
    )
    verdict = _verdict(told)
    return None if verdict["pass"] else explain(outcome, runner, exercise) or verdict["message"]
