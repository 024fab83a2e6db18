"""Writes the pages that Sphinx builds into FOLDER/pages, and the list of source files to show into FOLDER/sources.json.

make_pages.py FOLDER
"""
import json
import re
import shutil
import sys
from pathlib import Path

import chapters
import hunks
import reference
import timing
from markdown import Converter, page_of
from repository import finish, linked_sources, read, root, step_names

out = Path(sys.argv[1]) / "pages"
converter = Converter()


ORPHAN = "---\norphan: true\n---\n"  # for Sphinx: a page outside the contents


def write(page, *parts):
    text = "".join(parts)
    if not re.match(r"(---\n.*?\n---\n)?# ", text, re.DOTALL):  # Sphinx needs a title
        text = f"# {Path(page).stem}: {Path(page).parent.name.replace('_', ' ')}\n\n{text}"
    path = out / page
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_chapters():
    previous = None
    for step in step_names():
        write(f"{step}.md", chapters.page(step, previous, converter))
        if previous:
            page = f"diff/{step[:2]}.md"
            write(page, converter.convert(hunks.page(previous, step, page), f"docs/site/hunks/{step[:2]}.md", page))
        previous = step


def write_front_page():
    text = read("docs/site/index.md")
    table = timing.tables()[0][1]
    known = {f"{step}.md" for step in step_names()} | {"README.md"}
    more = [path.name for path in sorted((root / "docs").glob("*.md")) if path.name not in known and f"\n{path.name}\n" not in text]
    for name, value in {"ladder": timing.ladder(table, short=True), "machine": timing.size(table),
                        "chapters": "\n".join(f"{step}.md" for step in step_names()), "more": "\n".join(more)}.items():
        text = text.replace(f"<!-- {name} -->", value)
    write("index.md", text)


def write_exercises():
    guide = "For teachers there is [a guide](teaching.md).\n\n" if (root / "docs/teaching.md").is_file() else ""
    found = chapters.exercises()
    table = chapters.exercise_table(found) if found else ""
    write("exercises.md", converter.convert(read("docs/site/exercises.md") + guide + table, "docs/exercises.md"))


def one_title(text):
    """A second title would be a second entry in the site's contents: it becomes a section. A # in a code block is kept."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    first = True
    for i, part in enumerate(parts[::2]):
        lines = part.splitlines(keepends=True)
        for j, line in enumerate(lines):
            if line.startswith("# "):
                lines[j], first = (line if first else f"#{line}"), False
        parts[2 * i] = "".join(lines)
    return "".join(parts)


def write_texts():
    """The other Markdown files of docs/, and those elsewhere in the repository that a page links to."""
    done = {f"docs/{step}.md" for step in step_names()}
    for path in sorted(str(path.relative_to(root)) for path in (root / "docs").rglob("*.md")):
        if path not in done and not path.startswith("docs/site/"):
            in_contents = Path(path).parts[1] in ("design", "timing", Path(path).name)
            write(page_of(path), "" if in_contents else ORPHAN, one_title(converter.convert(read(path), path)))
            done.add(path)
    while waiting := [path for path in converter.wanted if path not in done]:
        for path in waiting:
            if path not in done:
                write(page_of(path), ORPHAN, one_title(converter.convert(read(path), path)))
                done.add(path)


def copy_pictures():
    for path in [*(root / "docs").rglob("*.svg"), *(root / "docs").rglob("*.png")]:
        target = out / path.relative_to(root / "docs")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


write_chapters()
write_front_page()
write_exercises()
for page, text in reference.pages().items():
    write(page, text)
write("timing/charts.md", timing.page())
write_texts()
copy_pictures()
(out.parent / "sources.json").write_text(json.dumps(sorted(linked_sources)))
finish()
