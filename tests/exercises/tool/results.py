"""A submission's grades as text, as Gradescope's results.json, and as a line of grades.csv."""

import csv
import json
import re
from pathlib import Path

from errors import CourseError


def total(grades):
    return sum(grade["points"] for grade in grades), sum(grade["max"] for grade in grades)


def show(result):
    """Prints what the instructor sees of one submission."""
    points, largest = total(result["grades"])
    print(
        f"{result['student']}: {result['final']:g} of {largest:g} points"
        + (f" ({points:g} before the cost of being late)" if result["final"] != points else "")
    )
    for grade in result["grades"]:
        print(f"  {grade['id']:6} {grade['points']:g} of {grade['max']:g}")
        for test in grade["tests"]:
            if test["status"] != "passed" or test["message"]:
                print(f"         {test['status']}  {test['name']}: {test['message']}")
    for note in result["notes"]:
        print(f"  note: {note}")


def write_json(path, result, pins):
    """https://gradescope-autograders.readthedocs.io/en/latest/specs/ describes the format."""
    tests = [_gradescope(grade, test) for grade in result["grades"] for test in grade["tests"]]
    content = {
        "score": result["final"],
        "output": "\n".join(result["notes"]),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {**pins, "student": result["student"]},
    }
    _write(path, json.dumps(content, indent=2) + "\n")


def _gradescope(grade, test):
    output = test["message"] + (
        "\n" + test["output"] if test["output"] and test["output"] != test["message"] else ""
    )
    entry = {
        "name": f"{grade['id']} {test['name']}",
        "score": test["points"],
        "max_score": test["max"],
        "status": test["status"],
        "visibility": test["visibility"],
        "output": output[:10000],
        "tags": [grade["id"], grade["step"], grade["kind"]],
    }
    if (
        test["status"] == "skipped"
    ):  # Gradescope knows passed and failed; without either and without points it is neither
        del entry["status"]
        entry["score"] = entry["max_score"] = 0
    return entry


def _write(path, text):
    try:
        Path(path).write_text(text)
    except OSError as error:
        raise CourseError(f"grade: {path}: {error.strerror}") from None


def read_csv(path):
    """The points of an earlier grades.csv by file: {file: {column: text}}; empty if there is none."""
    if not Path(path).exists():
        return {}
    try:
        with open(path, newline="") as file:
            return {row["file"]: row for row in csv.DictReader(file)}
    except (OSError, KeyError, csv.Error, UnicodeDecodeError):
        raise CourseError(
            f"grade: --csv {path} exists, but it is not a list of grades: name another file"
        ) from None


def write_csv(path, rows, ids, before, pins):
    """A line for each submission, with what the points depend on (`pins`: seed, image, version). `before`
    holds the lines of the file's earlier version."""
    columns = [
        "file",
        "student",
        *ids,
        "points",
        "max",
        "days late",
        "final",
        "before",
        "changed",
        "notes",
        *pins,
    ]
    try:
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            for row in rows:
                line = {**_line(row), **_side_by_side(row, before), **pins}
                writer.writerow({key: _cell(value) for key, value in line.items()})
    except OSError as error:
        raise CourseError(f"grade: {path}: {error.strerror}") from None


def seed_of(before):
    """The seed of an earlier grades.csv; None if it does not say."""
    seeds = {line.get("seed") or "" for line in before.values()}
    return int(seeds.pop()) if len(seeds) == 1 and min(seeds).isdigit() else None


def pins_that_differ(before, pins):
    """What differs between the earlier grading and this one: "seed 5 -> 77"."""
    line = next(iter(before.values()), {})
    return [
        f"{key} {line[key]} -> {value}"
        for key, value in pins.items()
        if line.get(key) and line[key] != str(value)
    ]


def _line(row):
    points, largest = total(row["grades"])
    line = {
        grade["id"]: _number(grade["points"]) for grade in row["grades"] if grade["max"] or grade["points"]
    }
    return {
        "file": row["file"],
        "student": row["student"],
        **line,
        "points": _number(points),
        "max": _number(largest),
        "days late": row["days_late"],
        "final": _number(row["final"]),
        "notes": "; ".join(row["notes"]),
    }


def _number(value):
    return f"{value:g}"


def _cell(value):
    """A spreadsheet takes a text that begins like this for a formula."""
    text = str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _side_by_side(row, before):
    old = before.get(row["file"])
    return {"before": old.get("final", ""), "changed": change_of(row, old)} if old else {}


def change_of(row, old):
    """Old and new points, where they differ: "05.2 3 -> 8, final 3 -> 8"."""
    new = _line(row)
    keys = [key for key in new if key not in ("file", "student", "notes")]
    keys += [
        key for key in old if re.match(r"[A-Z0-9]+(\.\d+)?$", key or "") and key not in new
    ]  # no longer graded
    return ", ".join(
        f"{key} {old.get(key) or '-'} -> {new.get(key, '-')}"
        for key in keys
        if (old.get(key) or "") != _cell(new.get(key, ""))
    )


def changes(rows, before):
    """Lines that show old and new points of what a regrade changed."""
    found = [(row["file"], change_of(row, before[row["file"]])) for row in rows if row["file"] in before]
    gone = sorted(set(before) - {row["file"] for row in rows})
    return [f"{file}: {change}" for file, change in found if change] + [
        f"{file}: no longer there" for file in gone
    ]
