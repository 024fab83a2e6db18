"""./course exercise: list, start, run, check, watch, hint, solution, reset."""

import os
import re
import time

import builds
import catalogue
import judging
import paper
import work
from errors import CourseError

SEEDS = [1, 2]  # of the inputs for `check`; grading draws others


def list_all(_):
    for exercise in catalogue.exercises():
        state = work.state(exercise)
        done = state.get("points")
        text = (
            ""
            if not work.started(exercise)
            else "started" if done is None else f"{done:g} of {exercise.points:g}"
        )
        print(f"{exercise.id:6} {exercise.title:44} {exercise.points:3g} points  {text}".rstrip())


def start(options):
    exercise = catalogue.find(options.id)
    if options.student:
        work.set_student(options.student)
    names = work.write_starter(exercise)
    if exercise.kind != "P":
        builds.prepare()
        for source in builds.tests_of(exercise):
            builds.compile_test(exercise, source, "runner")
        builds.checker(exercise)
    print(f"{exercise.id} {exercise.title}: {exercise.points:g} points, about {exercise.minutes} minutes")
    print(f"  read   {(exercise.folder / 'README.md').relative_to(catalogue.ROOT)}")
    for name in names:
        print(f"  edit   {name}")
    if exercise.program:
        print(f"  try    ./course exercise run {exercise.id} -- --help")
    print(f"  then   ./course exercise check {exercise.id}")


def run(options):
    """Runs the exercise's program in the student's folder; it replaces this process."""
    exercise = catalogue.find(options.id)
    folder = work.require_started(exercise)
    if not exercise.program:
        raise CourseError(f"{exercise.id} has no program to run: ./course exercise check {exercise.id}")
    if exercise.kind == "T" and not work.student_is_known():
        raise CourseError(
            f"{exercise.id} depends on your id: ./course exercise start {exercise.id} --student YOUR_ID"
        )
    builds.prepare()
    program = builds.program(exercise, folder)
    os.environ.update(
        STUDENT=work.student(), COURSE_ROOT=str(catalogue.ROOT), EXERCISE_FOLDER=str(exercise.folder)
    )
    os.chdir(folder)
    os.execv(program, [exercise.program.rsplit(".", 1)[0], *[word for word in options.flags if word != "--"]])


def judged(exercise, folder, seeds):
    """The results over several seeds: a test passes if it passes for each."""
    results = judging.judge(exercise, folder, seeds[0], work.student())
    for seed in seeds[1:] if exercise.kind in "CK" and any(result.passed for result in results) else []:
        again = judging.judge(exercise, folder, seed, work.student())
        results = [old if not old.passed else new for old, new in zip(results, again)]
    return results


def check(options):
    """Returns the exit status: 0 if all tests pass."""
    exercise = catalogue.find(options.id)
    folder = work.require_started(exercise)
    began = time.monotonic()
    if exercise.kind != "P":
        builds.prepare()
    results = judged(exercise, folder, SEEDS)
    show(exercise, results)
    points = sum(result.points for result in results)
    work.remember(exercise, points=points)
    print(f"{points:g} of {exercise.points:g} points ({time.monotonic() - began:.1f} s)")
    return 0 if all(result.passed for result in results) else 1


def show(exercise, results):
    """One line a test; the first one that fails is explained."""
    explained = False
    for result in results:
        print(f"  {'ok    ' if result.passed else 'FAILED'} {result.test.name} ({result.test.points:g})")
        if result.passed or explained:
            continue
        explained = True
        print(f"           {result.message}")
        for line in result.output.replace(f"{catalogue.ROOT}/", "").strip().splitlines()[:12]:
            if line not in result.message:
                print(f"           | {line}")
    if explained:
        print(f"A hint: ./course exercise hint {exercise.id}")


def watch(options):
    exercise = catalogue.find(options.id)
    folder, seen = work.require_started(exercise), None
    while True:
        now = [path.stat().st_mtime_ns for path in (folder / name for name in exercise.edit) if path.exists()]
        if now != seen:
            seen = now
            print(f"---- {time.strftime('%H:%M:%S')}", flush=True)
            check(options)
        time.sleep(0.5)


def hints(exercise):
    """The hints: the sections of hints.md that begin with ##."""
    sections = re.split(r"^## .*\n", exercise.text("hints.md"), flags=re.M)[1:]
    return [section.strip() for section in sections]


def hint(options):
    exercise = catalogue.find(options.id)
    work.require_started(exercise)
    given, texts = work.state(exercise).get("hints", 0), hints(exercise)
    number = min(given, len(texts) - 1)
    print(f"Hint {number + 1} of {len(texts)}:\n\n{texts[number]}")
    if given >= len(texts) - 1:
        print(f"\nThis is the last one. The solution: ./course exercise solution {exercise.id} --give-up")
    work.remember(exercise, hints=number + 1)


def solution(options):
    exercise = catalogue.find(options.id)
    folder = work.require_started(exercise)
    passed = work.state(exercise).get("points") == exercise.points
    if not passed and not options.give_up:
        raise CourseError(
            f"{exercise.id} does not pass yet: ./course exercise hint {exercise.id}, or solution "
            f"{exercise.id} --give-up"
        )
    if not exercise.has_solution() and not (exercise.folder / "answers.py").exists():
        raise CourseError(f"{exercise.id}: the solution is not in this handout: ask your instructor")
    if exercise.kind == "P":
        print(
            paper.sheet(
                exercise,
                work.student(),
                paper.right_answers(exercise, paper.parameters(exercise, work.student())),
            ),
            end="",
        )
        return
    work.remember(exercise, solution_seen=True)
    for name, text in exercise.solution().items():
        print(
            f"// ---- {name}\n{text}"
            if isinstance(text, str)
            else f"// ---- {name}: {len(text)} bytes in solution/"
        )
    print(f"// Your own files are in {folder.relative_to(catalogue.ROOT)}.")


def reset(options):
    exercise = catalogue.find(options.id)
    kept = work.set_aside(exercise)
    print(f"the old work is in {kept}")
    for name in work.write_starter(exercise):
        print(f"  edit   {name}")
