"""Compiles and links runner and checker of an exercise.

CMake builds what is linked (target `exercises`), and its own commands for bin/exercise_* are the models of
the commands here: so flags and libraries are stated once. Everything is kept by the digest of what it was
made from.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from functools import lru_cache
from pathlib import Path

import running
import sandbox
from catalogue import FOLDER, ROOT, SOURCES
from errors import CourseError

BUILD = ROOT / "build" / "cpu"
CACHE = BUILD / "exercises"
PUBLIC_HEADERS = {"exercise.h", "todo.h", "tensors.h", "device.h", "training.h"}
# A starter has variables and functions that only the student's code will use.
STUDENT_FLAGS = ["-Wno-unused", "-Wno-unused-parameter"]
# tests/executor/tracer.h says why.
TRACED_FLAGS = [
    "-O1",
    "-g1",
    "-fno-tree-sra",
    "-fsanitize=thread",
    "-fsanitize=bounds",
    "-fdata-sections",
    "-x",
    "c++",
]
COMPILER_LIMITS = {"seconds": 600, "megabytes": 4096}  # a compilation takes 5 s, but the machine may be busy
COMPILER_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class CompileError(Exception):
    """The compiler's message about a student's file."""


@lru_cache(None)
def _model(world, side):
    """The words of CMake's commands that compile and link bin/exercise_WORLD_SIDE."""
    target = f"exercise_{world}_{side}"
    lines = _ninja("-t", "commands", target)
    compile_line = next((line for line in lines if f"{target}.dir/main.cpp.o -c" in line), None)
    link_line = next((line for line in lines if f"-o bin/{target} " in line), None)
    if compile_line is None or link_line is None:
        raise CourseError(
            f"{BUILD.relative_to(ROOT)}: no commands for {target}; build it again: ./course exercise start"
        )
    compiler = shlex.split(compile_line)
    words = compiler[: compiler.index("-MD")]
    link = shlex.split(link_line.replace(": && ", "", 1).replace(" && :", ""))
    return words[1:] if words[0].endswith("ccache") else words, link


def _ninja(*words):
    done = subprocess.run(["ninja", "-C", str(BUILD), *words], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


@lru_cache(None)
def _headers_digest():
    digest = hashlib.sha256()
    roots = [ROOT / "common", ROOT / "tests" / "executor", ROOT / "tests" / "common"]
    headers = [path for root in roots for path in root.rglob("*") if path.suffix in {".h", ".cuh", ".ld"}]
    for path in sorted(headers) + [FOLDER / name for name in sorted(PUBLIC_HEADERS)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def tool_files():
    """What every verdict depends on besides the exercise and the library."""
    return [
        path for path in sorted(Path(__file__).parent.glob("*.py")) if not path.name.endswith("tests.py")
    ] + [FOLDER / name for name in ("main.cpp", *sorted(PUBLIC_HEADERS))]


@lru_cache(None)
def image():
    """Names what all grades are made with: compiler and flags, library, headers, tools. Whoever has the same
    image and seed gets the same points."""
    library, _ = _model("library", "runner")
    kernels, _ = _model("kernels", "runner")
    version = subprocess.run([library[0], "--version"], capture_output=True, text=True, check=False).stdout
    flags = " ".join(library + kernels).replace(str(ROOT), "")
    parts = [path.read_bytes() for path in [*tool_files(), *sorted(BUILD.glob("**/lib*.a"))]]
    return digest_of(version, flags, _headers_digest(), *parts)[:12]


def digest_of(*parts):
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:24]


_locks, _locks_lock = {}, threading.Lock()


def _made_once(path, make):
    """Makes the file unless it exists; several threads may ask for the same one."""
    with _locks_lock:
        lock = _locks.setdefault(path, threading.Lock())
    with lock:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                made = Path(folder) / path.name
                make(made)
                if os.geteuid() == 0:
                    os.chown(made, 0, 0)  # a student's program must not change what is kept
                os.replace(made, path)
        else:
            os.utime(path)
    return path


def given_folder(exercise):
    """A folder with the files that a student's code may include, and nothing else."""
    files = exercise.given()
    folder = (
        CACHE
        / "given"
        / digest_of(exercise.name, *[part for file in files for part in (file.name, file.read_bytes())])
    )
    for file in files:
        _made_once(folder / file.name, lambda made, file=file: shutil.copy(file, made))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compile_test(exercise, source, side):
    """The object of test.cpp for runner or checker."""
    words, _ = _model(exercise.world, side)
    extra = ["-O1", f"-I{given_folder(exercise)}", "-Wno-unused"]
    return _object(words + extra, source, source.name, exercise)


def compile_given(exercise, source, sanitize=True):
    return compile_student(exercise, source, given=True, sanitize=sanitize)


def compile_student(exercise, source, werror=False, given=False, sanitize=True):
    words, _ = _model(exercise.world, "runner")
    words = [word for word in words if not word.startswith("-DEXERCISE_")]
    extra = STUDENT_FLAGS + (["-Werror"] if werror else []) + [f"-I{given_folder(exercise)}"]
    if source.suffix == ".cu":
        extra += TRACED_FLAGS
    if exercise.sanitize and sanitize:
        extra += SANITIZERS + ["-O1", "-g1"]
    return _object(words + extra, source, source.name, exercise, student=not given)


def _object(words, source, name, exercise, student=False):
    # A student's file may include another one that the student edits.
    beside = (
        [path.read_bytes() for path in (source.parent / other for other in exercise.edit) if path.exists()]
        if student
        else []
    )
    key = digest_of(*words, name, source.read_bytes(), *beside, _headers_digest())
    return _made_once(
        CACHE / "objects" / key / f"{name}.o", lambda made: _compile(words, source, made, exercise, student)
    )


def _compile(words, source, made, exercise, student):
    depends = made.with_suffix(".d")
    command = words + [
        "-MD",
        "-MF",
        str(depends),
        "-fdiagnostics-color=never",
        "-o",
        str(made),
        "-c",
        str(source),
    ]
    if student and sandbox.current():
        sandbox.current().give(made.parent)
    compile_it = running.run if student else running.run_trusted
    done = compile_it(command, limits=COMPILER_LIMITS, environment=COMPILER_ENVIRONMENT, folder=BUILD)
    if done.timed_out:
        raise CompileError(
            f"error: {source.name}: the compiler was stopped after {COMPILER_LIMITS['seconds']} seconds"
        )
    if done.status != 0:
        told = done.output.replace(f"{source.parent}/", "")
        raise CompileError(told or f"error: the compiler ended with status {done.status}")
    if student:
        _check_includes(depends, source, exercise)


def _check_includes(depends, source, exercise):
    """A student's code must not include the solution: of tests/exercises it sees the public headers alone."""
    for word in depends.read_text().replace("\\\n", " ").split()[1:]:
        path = (BUILD / word).resolve()
        inside = (path.is_relative_to(FOLDER) or path.is_relative_to(exercise.folder)) and not (
            path.parent == FOLDER and path.name in PUBLIC_HEADERS
        )
        if inside and path.parent != source.parent.resolve():
            raise CompileError(
                f"{source.name}: error: it includes {path.relative_to(ROOT)}, which is not given"
            )


def link(exercise, side, objects, with_main=True):
    """Links with the library, and with main.cpp and sanitizers unless the objects have a main()."""
    _, words = _model(exercise.world, side)
    words = [word for word in words if with_main or not word.endswith("main.cpp.o")]
    words += SANITIZERS if exercise.sanitize and side == "runner" and with_main else []
    libraries = [BUILD / word for word in words if word.endswith(".a") and not word.startswith("/")]
    stamps = [f"{path}:{path.stat().st_mtime_ns}" for path in libraries]
    at = words.index("-o")
    stamps += [(BUILD / word).stat().st_mtime_ns for word in words if word.endswith("main.cpp.o")]
    key = digest_of(*words, *objects, *stamps)

    def make(made):
        command = words[:at] + [str(path) for path in objects] + ["-o", str(made)] + words[at + 2 :]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", cwd=BUILD, check=False
        )
        if done.returncode != 0:
            missing = [
                line
                for line in done.stderr.splitlines()
                if "undefined reference" in line or "multiple definition" in line
            ]
            raise CompileError("\n".join(line.split(": ", 1)[-1] for line in missing) or done.stderr)

    return _made_once(CACHE / "programs" / key / side, make)


def tests_of(exercise):
    return [path for path in (exercise.folder / "test.cpp", exercise.folder / "hidden.cpp") if path.exists()]


def checker(exercise):
    return link(
        exercise, "checker", [compile_test(exercise, source, "checker") for source in tests_of(exercise)]
    )


def runner(exercise, folder, subject=None, werror=False):
    """The runner with the student's files of this folder; subject: a source to link them with."""
    names = [name for name in exercise.edit if Path(name).suffix in SOURCES and name != exercise.program]
    objects = [compile_test(exercise, source, "runner") for source in tests_of(exercise)]
    objects += [compile_student(exercise, folder / name, werror) for name in names]
    return link(exercise, "runner", objects + _given_objects(exercise, subject))


def _given_objects(exercise, subject=None, sanitize=True):
    sources = [
        source for source in exercise.given() if source.suffix in SOURCES and source.name != exercise.program
    ]
    return [compile_given(exercise, source, sanitize) for source in sources + [subject] if source is not None]


def program(exercise, folder):
    """The exercise's own program (exercise.json: program, the source with main()), linked with all other
    sources. It trains, so it has no sanitizers."""
    names = [name for name in exercise.edit if Path(name).suffix in SOURCES]
    objects = [compile_student(exercise, folder / name, sanitize=False) for name in names]
    if exercise.program not in names:
        objects.append(compile_given(exercise, exercise.folder / exercise.program, sanitize=False))
    return link(exercise, "runner", objects + _given_objects(exercise, sanitize=False), with_main=False)


def prepare():
    """Builds with CMake what the exercises are linked with."""
    done = subprocess.run(
        ["cmake", "--build", str(BUILD), "--target", "exercises"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CourseError(
            f"the library does not build: {done.stdout.strip().splitlines()[-1]} (cmake --build "
            f"{BUILD.relative_to(ROOT)})"
        )
