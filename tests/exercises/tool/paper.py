"""Paper exercises: numbers in answers.json, with parameters drawn from the student's id.

parameters.py has parameters(draw), where draw is a random.Random; answers.py has answers(p), a dict with an
entry for each test of exercise.json. wrong/NAME.py has answers(p) of a common mistake, perhaps of some
entries only; its docstring is what a student who makes it is told.
"""

import json
import random
import runpy

from errors import CourseError


def parameters(exercise, student):
    return runpy.run_path(str(exercise.folder / "parameters.py"))["parameters"](
        random.Random(f"{exercise.id} {student}")
    )


def right_answers(exercise, p):
    path = exercise.folder / "answers.py"
    return runpy.run_path(str(path))["answers"](p) if path.exists() else None


def mistakes(exercise, p):
    """(name, message, answers) of each common mistake."""
    found = []
    for path in sorted((exercise.folder / "wrong").glob("*.py")):
        module = runpy.run_path(str(path))
        found.append((path.stem, " ".join(module["__doc__"].split()), module["answers"](p)))
    return found


def sheet(exercise, student, answers=None):
    """The text of answers.json."""
    empty = {test.name: None for test in exercise.tests}
    content = {
        "student": student,
        "parameters": parameters(exercise, student),
        "answers": {**empty, **(answers or {})},
    }
    return json.dumps(content, indent=2) + "\n"


def verdicts(exercise, folder, student):
    """(test, passed, message) for each test."""
    name = exercise.edit[0]
    try:
        given = dict(json.loads((folder / name).read_text())["answers"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return [(test, False, f"{name} is not valid: {error}") for test in exercise.tests]
    p = parameters(exercise, student)
    right = right_answers(exercise, p)
    if right is None:
        return [
            (test, False, f"answered: {given.get(test.name)}; your instructor's grader has the answers")
            for test in exercise.tests
        ]
    if set(right) != {test.name for test in exercise.tests}:
        raise CourseError(
            f"{exercise.name}: answers.py answers {sorted(right)}, exercise.json has other tests"
        )
    return [
        (test, *_verdict(exercise, test, given.get(test.name), right[test.name], p))
        for test in exercise.tests
    ]


def _verdict(exercise, test, given, right, p):
    if given is None:
        return False, f"{test.name} is not answered yet"
    if equal(given, right, test.tolerance):
        return True, ""
    for _, message, answers in mistakes(exercise, p):
        if test.name in answers and equal(given, answers[test.name], test.tolerance):
            return False, f"{test.name}: {message}"
    return False, f"{test.name}: {given} is not right"


def equal(a, b, tolerance):
    """Numbers agree within a relative tolerance; texts whatever their case; lists element by element."""
    if isinstance(b, (list, tuple)):
        return isinstance(a, list) and len(a) == len(b) and all(equal(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(b, str):
        return isinstance(a, str) and a.strip().lower() == b.lower()
    if isinstance(b, bool) or isinstance(a, bool):
        return a is b
    return isinstance(a, (int, float)) and abs(a - b) <= tolerance * abs(b)
