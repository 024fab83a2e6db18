"""./course submit: work/submission.zip, the edited files and a manifest. And how the grader reads one.

A submission is hostile: only the files that an exercise asks for are read, by their exact names, up to a
size, into memory. Nothing is unpacked by the names in the archive."""

import hashlib
import json
import stat
import subprocess
import zipfile
import zlib
from pathlib import Path

import catalogue
import work
from errors import CourseError

ARCHIVE_BYTES, FILE_BYTES, TOTAL_BYTES, ENTRIES = 32 << 20, 8 << 20, 32 << 20, 1000
MANIFEST, MANIFEST_BYTES = "manifest.json", 1 << 20
BROKEN = (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error, zipfile.BadZipFile)


class Submission:
    def __init__(self, student, files, notes):
        self.student, self.files, self.notes = student, files, notes  # files: {exercise name: {file: bytes}}


def version():
    """Names the exercises that the student had: a handout's digest, or the commit."""
    kept = catalogue.FOLDER / "VERSION"
    if kept.exists():
        return kept.read_text().strip()
    words = ["git", "-C", str(catalogue.ROOT), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


# ---- the student's side


def submit(options):
    chosen = [catalogue.find(name) for name in options.ids]
    student, files = work.student(), {}
    if student == "nobody":
        raise CourseError("submit: you have no student id yet: ./course exercise start ID --student YOUR_ID")
    for exercise in chosen:
        folder = work.require_started(exercise)
        for name in exercise.edit:
            files[f"{exercise.name}/{name}"] = _own_file(folder / name)
    manifest = {
        "student": student,
        "exercises": [exercise.id for exercise in chosen],
        "version": version(),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    path = work.WORK / "submission.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
        for name, data in files.items():
            archive.writestr(name, data)
    print(
        f"{path.relative_to(path.parents[1])}: {len(files)} files of "
        f"{', '.join(manifest['exercises'])} by {student}"
    )


def _own_file(path):
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"submit: {path.name}: {error.strerror}: it belongs to the submission") from None
    if len(data) > FILE_BYTES:
        raise CourseError(f"submit: {path.name} has {len(data)} bytes; at most {FILE_BYTES} are taken")
    return data


# ---- the grader's side


def read(path, student=None):
    """The submission in a zip file, or in a folder like work/. Throws CourseError if it is not one."""
    path = Path(path)
    if not path.exists():
        raise CourseError(f"grade: {path} does not exist")
    source = _source(path)
    notes, manifest = [], _manifest(source, path)
    files = _files(source, notes)
    for name, digest in manifest["files"].items():
        folder, _, file = name.partition("/")
        data = files.get(folder, {}).get(file)
        if data is not None and hashlib.sha256(data).hexdigest() != digest:
            notes.append(f"{name} was changed after ./course submit")
    return Submission(student or manifest["student"], files, notes)


def _source(path):
    """Gradescope unpacks an uploaded zip file, unless other files are uploaded with it."""
    if not path.is_dir():
        return _Archive(path)
    packed = path / "submission.zip"
    is_unpacked = any((path / exercise.name).exists() for exercise in catalogue.exercises())
    return (
        _Archive(packed)
        if packed.is_file() and not packed.is_symlink() and not is_unpacked
        else _Folder(path)
    )


def _manifest(source, path):
    """A folder may lack the manifest: then its file `student` has the id."""
    data = source.read(MANIFEST, MANIFEST_BYTES)
    if data is None:
        student = source.read("student", 1000)
        if isinstance(source, _Archive):
            raise CourseError(f"grade: {path.name} has no {MANIFEST}: it must be made with ./course submit")
        return {"student": (student or b"unknown").decode(errors="replace").strip()[:200], "files": {}}
    try:
        manifest = json.loads(data)
        files = {str(name): str(digest) for name, digest in manifest["files"].items()}
        return {"student": str(manifest["student"])[:200], "files": files}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CourseError(
            f"grade: {path.name}: {MANIFEST} is not valid; it must be made with ./course submit"
        ) from None


def _files(source, notes):
    files, total, wanted = {}, 0, set()
    for exercise in catalogue.exercises():
        for name in exercise.edit:
            entry = f"{exercise.name}/{name}"
            wanted.add(entry)
            try:
                data = source.read(entry, FILE_BYTES)
            except CourseError as error:
                notes.append(str(error))
                continue
            total += len(data or b"")
            if data is not None and total <= TOTAL_BYTES:
                files.setdefault(exercise.name, {})[name] = data
    if total > TOTAL_BYTES:
        notes.append(f"the files have {total} bytes together; at most {TOTAL_BYTES} are taken")
    others = [name for name in source.names() if name not in wanted | {MANIFEST} and not name.endswith("/")]
    if others and isinstance(source, _Archive):
        notes.append(f"{len(others)} other files are ignored, among them {others[0][:100]!r}")
    return files


class _Archive:
    def __init__(self, path):
        if path.stat().st_size > ARCHIVE_BYTES:
            raise CourseError(
                f"grade: {path.name} has {path.stat().st_size} bytes; at most {ARCHIVE_BYTES} are taken"
            )
        try:
            self._zip = zipfile.ZipFile(path)
            entries = self._zip.infolist()
        except BROKEN as error:
            raise CourseError(f"grade: {path.name} is not a zip file: {error}") from None
        if len(entries) > ENTRIES:
            raise CourseError(f"grade: {path.name} has {len(entries)} entries; at most {ENTRIES} are taken")
        self._entries = {}
        for entry in entries:
            self._entries.setdefault(entry.filename, []).append(entry)

    def names(self):
        return list(self._entries)

    def read(self, name, limit):
        """The bytes of the entry; None if there is none. The size in the header is not believed."""
        entries = self._entries.get(name)
        if entries is None:
            return None
        mode = entries[0].external_attr >> 16
        if len(entries) > 1:
            raise CourseError(f"{name} is {len(entries)} times in the zip file")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise CourseError(f"{name} is a link or a device, not a file")
        try:
            with self._zip.open(entries[0]) as file:
                data = file.read(limit + 1)
        except BROKEN as error:
            raise CourseError(f"{name} cannot be read: {error}") from None
        if len(data) > limit:
            raise CourseError(f"{name} has more than {limit} bytes")
        return data


class _Folder:
    def __init__(self, path):
        self._path = path

    def names(self):
        return []

    def read(self, name, limit):
        path = self._path / name
        if not path.exists() and not path.is_symlink():
            return None
        if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
            raise CourseError(f"{name} is a link or a folder, not a file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise CourseError(f"{name} has more than {limit} bytes")
        return data
