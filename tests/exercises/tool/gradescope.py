"""./course gradescope: autograder.zip for Gradescope. Its setup.sh builds the library into the image, for any
x86-64-v3 machine, and run_autograder grades one submission."""

import zipfile
from pathlib import Path

import catalogue
import submission
import tree
from errors import CourseError

AUTOGRADER = catalogue.FOLDER / "autograder"
LEFT_OUT = ("docs/", ".github/", ".ci/", ".devcontainer/")  # what the image does not need


def gradescope(options):
    private = Path(options.private) if options.private else None
    if private and not private.is_dir():
        raise CourseError(f"gradescope: --private {private} is not a folder")
    names = [name for name in tree.files() if tree.is_for_exercises(name) and not name.startswith(LEFT_OUT)]
    try:
        with zipfile.ZipFile(options.out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("setup.sh", "run_autograder"):
                archive.write(AUTOGRADER / name, name)
            for name in names:
                archive.write(catalogue.ROOT / name, f"course/{name}")
            archive.writestr(
                f"course/{catalogue.FOLDER.relative_to(catalogue.ROOT)}/VERSION", submission.version() + "\n"
            )
            for path in _private_files(private):
                archive.write(path, f"private/{path.relative_to(private)}")
    except OSError as error:
        raise CourseError(f"gradescope: {options.out}: {error.strerror}") from None
    print(
        f"{options.out}: {Path(options.out).stat().st_size / 1e6:.1f} MB; "
        "upload it under Configure Autograder, base image Ubuntu 24.04"
    )


def _private_files(private):
    if private is None:
        return []
    return [
        path
        for path in sorted(private.rglob("*"))
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
    ]
