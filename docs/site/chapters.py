"""A chapter's page: the text of docs/NN_name.md, its timing row, its exercises, and links to the diff and the code."""
import json
import re

import timing
from repository import problem, read, root, slug, source_link

PARTS = ("What to expect", "Exercises")  # headings that every chapter has


def exercises():
    """All exercises: [(folder, {id, title, step, ...})]."""
    found = []
    for path in sorted(root.glob("tests/exercises/*/exercise.json")):
        try:
            found.append((str(path.parent.relative_to(root)), json.loads(path.read_text(encoding="utf-8"))))
        except ValueError as error:
            problem(path.relative_to(root), f"not JSON: {error}")
    return found


def number_of(exercise):
    match = re.match(r"\d+", str(exercise.get("step", "")))
    return f"{int(match[0]):02}" if match else ""


def exercise_table(found):
    lines = ["| exercise | points | difficulty | minutes | needs |", "|---|---|---|---|---|"]
    for folder, exercise in found:
        points = f"{sum(test.get('points', 0) for test in exercise.get('tests', [])):g}"
        title = f"{exercise['id']} {exercise['title']}"
        if (root / folder / "README.md").is_file():
            title = f"[{title}](../{folder}/README.md)"
        needs = exercise.get("needs", "")
        lines.append(f"| {title} | {points} | {exercise.get('difficulty', '-')} | {exercise.get('minutes', '-')} | "
                     f"{needs if isinstance(needs, str) else ', '.join(needs)} |")
    return "\n".join(lines)


def checked_exercises(step):
    found = [item for item in exercises() if number_of(item[1]) == step[:2]]
    if not found:
        return ""
    example = found[0][1]["id"]
    return (f"\n### Exercises that are checked\n\n`./course exercise start {example}` gives you the starter, `./course exercise "
            f"check {example}` says within seconds what is wrong.\n\n{exercise_table(found)}\n")


def strip(step, previous, page):
    links = [f"[diff](diff/{step[:2]}.md)"] * bool(previous)
    links += [f"[what it prints](#{slug(PARTS[0])})", "[time](#what-it-gains)", f"[exercises](#{slug(PARTS[1])})"]
    links += [source_link(str(path.relative_to(root)), page, text=f"<code>{path.name}</code>") for path in
              sorted(root.glob(f"steps/{step}/*"))]
    return ":::{container} strip\n" + " · ".join(links) + "\n:::\n"


def page(step, previous, converter):
    """The page's text. `previous` is None for the first step."""
    path, name = f"docs/{step}.md", f"{step}.md"
    text = read(path)
    for heading in PARTS:
        if f"\n## {heading}\n" not in text:
            problem(path, f"has no section: ## {heading}")
    rows = timing.row_table(step).replace("](docs/", "](")
    gains = f"## What it gains\n\n{rows}" if rows else \
        "## What it gains\n\nThe [timing tables](timing/README.md) have no row for this step yet.\n" if step[:2] > "03" else \
        "## What it gains\n\nThis step does not train, so it has no training time; the [table](timing/README.md) begins with 04.\n"
    title, _, rest = text.partition("\n")
    rest = rest.replace(f"\n## {PARTS[1]}\n", f"\n{gains}\n\n## {PARTS[1]}\n", 1)
    head = converter.convert(title + "\n", path) + "\n" + strip(step, previous, name)
    body = converter.convert(rest + checked_exercises(step), path)
    tree = f"\n```{{toctree}}\n:hidden:\n\n{step[:2]}: the diff <diff/{step[:2]}.md>\n```\n" if previous else ""
    return head + body + tree
