"""A chapter's diff, hunk by hunk, with the explanations of docs/site/hunks/NN.md beside the code.

An explanation file has a section for each changed file, and in it headings that name changed lines, in the order of the
diff: ### `the line, or its beginning`. The text under a heading belongs to the diff from that line on, up to the next
named line or the end of the hunk. So the first changed line of every hunk (blank ones aside) must be named; a long hunk may be cut by naming
further lines. Headings without text in between share the text that follows.
"""
import re
import subprocess

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import CppLexer

from repository import escaped, problem, read, root, source_href

lexer, formatter = CppLexer(stripnl=False), HtmlFormatter(nowrap=True)


def diff(before, after):
    """{file: [hunk, ...]}; a hunk is a list of (sign, text, line number in the new file)."""
    output = subprocess.run(
        ["git", "-c", "core.pager=cat", "diff", "--no-index", "--no-color", "--no-ext-diff", "--diff-algorithm=myers",
         "--no-prefix", "-U2", f"steps/{before}", f"steps/{after}"],
        cwd=root, capture_output=True, text=True).stdout
    files, hunks, in_hunk = {}, None, False
    for line in output.splitlines():
        if line.startswith("diff "):
            in_hunk = False
        elif not in_hunk and line.startswith("+++ "):
            hunks = files.setdefault(line.rsplit("/", 1)[1], [])
        elif line.startswith("@@ "):
            in_hunk, number = True, int(re.search(r"\+(\d+)", line)[1])
            hunks.append([])
        elif in_hunk and line[0] in "+- ":
            hunks[-1].append((line[0], line[1:], number))
            number += line[0] != "-"
    return files


def explanations(path):
    """{file: [(keys, text), ...]}"""
    files, entries, fresh = {}, None, False
    for line in read(path).splitlines():
        if match := re.fullmatch(r"### `(.*)`", line):
            if not fresh or not entries:
                entries.append(([], []))
            entries[-1][0].append(match[1])
            fresh = True
        elif line.startswith("## "):
            entries = files.setdefault(line[3:].strip(), [])
        elif entries:
            entries[-1][1].append(line)
            fresh = fresh and not line.strip()
    return {file: [(keys, "\n".join(text).strip()) for keys, text in entries] for file, entries in files.items()}


def matched(path, file, hunks, entries):
    """[(text, [piece, ...]), ...]: the pieces of the hunks that each entry explains."""
    lines = [(h, i, text.strip()) for h, hunk in enumerate(hunks) for i, (sign, text, _) in enumerate(hunk) if sign != " " and text.strip()]
    starts, at = {}, 0  # (hunk, line) -> entry
    for number, (keys, text) in enumerate(entries):
        if not text:
            problem(path, f"{file}: the explanation of {keys[0]} is empty")
        for key in keys:
            found = next((j for j in range(at, len(lines)) if lines[j][2].startswith(key)), None)
            if found is None:
                problem(path, f"{file}: the diff has no changed line, after the one named before, that begins with: {key}")
                continue
            starts[lines[found][:2]] = number
            at = found + 1
    result = [(text, []) for _, text in entries]
    for h, hunk in enumerate(hunks):
        first = next(i for i, (sign, text, _) in enumerate(hunk) if sign != " " and text.strip())
        if (h, first) not in starts:
            problem(path, f"{file}: nothing explains the hunk that begins with: {hunk[first][1].strip()}")
            continue
        cuts = sorted(i for j, i in starts if j == h)
        for begin, end, cut in zip([0, *cuts[1:]], [*cuts[1:], len(hunk)], cuts):
            result[starts[h, cut]][1].append(hunk[begin:end])
    return result


def code(piece, file, page):
    """HTML of a piece: numbered lines, added and removed ones coloured."""
    rows = []
    for sign, text, number in piece:
        kind = {"+": "add", "-": "del", " ": "same"}[sign]
        label = "" if sign == "-" else f'<a href="{source_href(file, page, number)}">{number}</a>'
        body = highlight(text, lexer, formatter).rstrip("\n") if text.strip() else escaped(text)
        rows.append(f'<span class="line {kind}"><span class="no">{label}</span><span class="sign">{sign}</span>{body}</span>')
    return '<div class="highlight diff-code"><pre>' + "".join(rows) + "</pre></div>"


def page(before, after, name):
    """The text of the page `name`: the diff from step `before` to step `after`."""
    number = after[:2]
    path = f"docs/site/hunks/{number}.md"
    if not (root / path).is_file():
        problem(path, f"no such file; it must explain the diff from {before} to {after}")
        return ""
    changed, explained = diff(before, after), explanations(path)
    for file in sorted(set(changed) ^ set(explained)):
        problem(path, f"{file} is {'explained but not changed' if file in explained else 'changed but not explained'}")
    parts = [f"---\nhide-toc: true\n---\n# {number}: the diff\n\n"
             f"`./course diff {number}`: `steps/{before}` against `steps/{after}`, and what each change is for. "
             f"The chapter is [{after}](../../{after}.md).\n"]
    for file in (file for file in explained if file in changed):
        parts.append(f"\n## {file}\n")
        for text, pieces in matched(path, file, changed[file], explained[file]):
            html = "\n".join(code(piece, f"steps/{after}/{file}", name) for piece in pieces)
            parts.append(f"\n:::::{{container}} hunk\n::::{{container}} why\n{text}\n::::\n"
                         f"```{{raw}} html\n<div class=\"what\">{html}</div>\n```\n:::::\n")
    return "".join(parts)
