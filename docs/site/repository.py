"""The repository as the site sees it: its files, and where a text stands in one of them."""
import os
import re
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[2]
problems = []  # everything that is wrong with the sources; the build reports all of it, then fails


def problem(where, what):
    problems.append(f"{where}: {what}")


def finish():
    """Ends the program with status 1 if there were problems."""
    for line in problems:
        print(f"site: {line}", file=sys.stderr)
    if problems:
        sys.exit(1)


def read(path):
    return (root / path).read_text(encoding="utf-8")


def step_names():
    """["01_module", "02_hf_weights", ...]"""
    return sorted(path.parent.name for path in root.glob("steps/*/train_gpt2.cpp"))


def line_of(path, text):
    """The number of the first line of the file that contains the text, or None."""
    for number, line in enumerate(read(path).splitlines(), 1):
        if text in line:
            return number
    return None


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def relative(target, page):
    """The address of a page or file of the site, as seen from `page`."""
    return os.path.relpath(target, os.path.dirname(page) or ".")


linked_sources = set()  # the source files that get a page


def source_href(path, page, line=None):
    linked_sources.add(path)
    return relative(f"source/{path}.html", page) + (f"#L{line}" if line else "")


def source_link(path, page, line=None, text=None):
    """HTML for a link to a source file, or to one of its lines."""
    text = text or f"<code>{escaped(path)}</code>" + (f", line {line}" if line else "")
    return f'<a class="source" href="{source_href(path, page, line)}">{text}</a>'


def slug(heading):
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
