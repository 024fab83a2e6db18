"""The files of the repository: those that git knows, or all that are there."""

import re
import shutil
import subprocess

from catalogue import ROOT

# Of the tests, what exercises are compiled with. tests/CMakeLists.txt then builds the exercises alone.
TESTS = re.compile(r"tests/(CMakeLists\.txt|executor/|exercises/|common/[^/]*\.h$)")
NEVER = {".git", "build", "work", "__pycache__", "runs"}


def files():
    """Paths relative to the repository, sorted. Links (to data) are left out."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    names = done.stdout.decode().split("\0") if done.returncode == 0 else []
    if not any(names):
        names = [
            str(path.relative_to(ROOT))
            for path in ROOT.rglob("*")
            if not NEVER & set(path.relative_to(ROOT).parts)
        ]
    return sorted(
        name for name in names if name and (ROOT / name).is_file() and not (ROOT / name).is_symlink()
    )


def is_for_exercises(name):
    """Whether a copy of the repository that only builds exercises has this file."""
    return not name.startswith("tests/") or TESTS.match(name) is not None


def copy(name, out):
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, out / name)
