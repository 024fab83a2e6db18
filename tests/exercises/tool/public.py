"""What of an exercise the students may see: starters and public tests; no solution, wrong answer or hidden
test."""

import json
import shutil

import regions

SECRET = {"answers.md", "answers.py", "hidden.cpp", "wrong", "solution", "mutants", "__pycache__"}


def write(exercise, out):
    """Copies the exercise to the folder `out`, which must not exist."""
    out.mkdir(parents=True)
    for path in sorted(exercise.folder.iterdir()):
        if path.name in SECRET or path.is_symlink():
            continue
        if path.is_dir():
            shutil.copytree(path, out / path.name)
        elif path.name == "exercise.json":
            (out / path.name).write_text(_description(exercise, json.loads(path.read_text())))
        elif path.name in exercise.edit:
            (out / path.name).write_text(regions.starter(path.read_text(), f"{exercise.name}/{path.name}"))
        else:
            shutil.copy(path, out / path.name)


def _description(exercise, fields):
    """exercise.json without hidden tests. Mutants are hidden: of an exercise of kind M the right version
    remains."""
    tests = fields["tests"][:1] if exercise.kind == "M" else fields["tests"]
    fields["tests"] = [test for test in tests if test.get("visibility", "visible") == "visible"]
    return json.dumps(fields, indent=2) + "\n"
