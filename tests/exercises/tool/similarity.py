"""Similarity of submissions, against one another and against the repository and its history, token by token.

Winnowing (Schleimer, Wilkerson, Aiken 2003): of the hashes of all runs of K tokens, the least of every WINDOW
in a row is kept. Names, numbers and texts are one token each whatever they are, so renaming hides nothing.
What the starter and the given files have in common with a submission does not count."""

import csv
import re
import subprocess
import zlib
from itertools import combinations

import catalogue
from errors import CourseError

K, WINDOW, REPORTED, FEWEST = 12, 6, 0.5, 8
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|[A-Za-z_]\w*|\d[\w.\']*|\S', re.S
)
KEYWORDS = set(
    "auto bool break case char class const constexpr continue do double else float for if int "
    "int64_t namespace return "
    "static struct switch template this throw uint64_t void while __global__ __shared__ "
    "__syncthreads threadIdx blockIdx "
    "blockDim gridDim std".split()
)
SUFFIXES = (".cpp", ".cu", ".cuh", ".h")


def tokens(text):
    found = []
    for word in TOKEN.findall(text):
        if word.startswith(("//", "/*")):
            continue
        if word[0] in "\"'":
            found.append("text")
        elif word[0].isdigit():
            found.append("number")
        else:
            found.append("name" if re.match(r"\w", word) and word not in KEYWORDS else word)
    return found


def fingerprints(text):
    words = tokens(text)
    hashes = [zlib.crc32(" ".join(words[i : i + K]).encode()) for i in range(len(words) - K + 1)]
    return {min(hashes[i : i + WINDOW]) for i in range(max(1, len(hashes) - WINDOW + 1)) if hashes}


def share(a, b):
    """Of the shorter one's fingerprints, those that the other one has too."""
    shorter = min(len(a), len(b))
    return len(a & b) / shorter if shorter >= FEWEST else 0.0


def report(path, submissions):
    """Writes a CSV: exercise, file, other (a submission, or a file of the repository), share, fingerprints in
    common."""
    rows = []
    history = _history()
    for exercise in catalogue.exercises():
        names = [name for name in exercise.edit if name.endswith(SUFFIXES)]
        if names:
            known = _known(exercise)
            own = {
                file: _of(files[exercise.name], names) - known
                for file, files in submissions
                if exercise.name in files
            }
            rows += [(exercise.id, *row) for row in _pairs(own) + _against(own, history, known)]
    rows.sort(key=lambda row: -row[3])
    _write(path, rows)
    print(f"{len(rows)} pairs with at least {REPORTED:.0%} in common: {path}")
    for exercise_id, file, other, part, common in rows[:10]:
        print(f"  similar  {exercise_id} {file} and {other}: {part:.0%} ({common} fingerprints)")


def _of(files, names):
    return fingerprints("\n".join(files[name].decode(errors="replace") for name in names if name in files))


def _known(exercise):
    """What every student has: the starter, and the files that are given."""
    texts = [text for text in exercise.starter().values() if text]
    texts += [path.read_text(errors="replace") for path in exercise.given() if path.suffix in SUFFIXES]
    return set().union(*map(fingerprints, texts)) if texts else set()


def _pairs(own):
    found = [(a, b, share(own[a], own[b]), len(own[a] & own[b])) for a, b in combinations(sorted(own), 2)]
    return [row for row in found if row[2] >= REPORTED]


def _against(own, history, known):
    """The most similar file of the repository for each submission: how much of the submission it has."""
    found = []
    for file, prints in own.items():
        if len(prints) < FEWEST:
            continue
        part, common, other = max(
            (
                (len(prints & (theirs - known)) / len(prints), len(prints & (theirs - known)), name)
                for name, theirs in history
            ),
            default=(0, 0, ""),
        )
        if part >= REPORTED:
            found.append((file, f"repository: {other}", part, common))
    return found


def _history():
    """(path, fingerprints) of every version of every source of the repository; without git, of the present
    ones."""
    blobs = _blobs()
    if not blobs:
        paths = [
            path
            for path in catalogue.ROOT.rglob("*")
            if path.suffix in SUFFIXES and "build" not in path.parts and "work" not in path.parts
        ]
        return [
            (str(path.relative_to(catalogue.ROOT)), fingerprints(path.read_text(errors="replace")))
            for path in paths
        ]
    return [(f"{name} ({blob[:8]})", fingerprints(text)) for blob, name, text in _contents(blobs)]


def _git(*words, data=None):
    done = subprocess.run(
        ["git", "-C", str(catalogue.ROOT), *words], input=data, capture_output=True, check=False
    )
    return done.stdout if done.returncode == 0 else b""


def _blobs():
    lines = (
        _git("rev-list", "--objects", "HEAD", "--", "common", "steps", "tests/exercises")
        .decode(errors="replace")
        .splitlines()
    )
    return [line.split(" ", 1) for line in lines if line.endswith(SUFFIXES)]


def _contents(blobs):
    data, at = _git("cat-file", "--batch", data="".join(blob + "\n" for blob, _ in blobs).encode()), 0
    for blob, name in blobs:
        end = data.index(b"\n", at)
        size = int(data[at:end].split()[2])
        yield blob, name, data[end + 1 : end + 1 + size].decode(errors="replace")
        at = end + size + 2


def _write(path, rows):
    try:
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["exercise", "file", "other", "share", "fingerprints in common"])
            writer.writerows((a, b, c, f"{part:.2f}", common) for a, b, c, part, common in rows)
    except OSError as error:
        raise CourseError(f"grade: --similarity {path}: {error.strerror}") from None
