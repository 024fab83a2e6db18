"""Turns a Markdown file of the repository into a page of the site.

The files are written for GitHub. Three things change: a link to a source file becomes a link to that file's page on the
site; a link whose text is code, [`Tensor view(`](../common/tensor/tensor.h), goes to the line with that text, and the
build fails if the file has no such line; and a block of C++ whose first line is a comment with a path,
// steps/04_overfit/gpt2.h, must be a quotation of that file, and gets a link to it.
"""
import os
import posixpath
import re

from repository import line_of, problem, read, relative, root, source_link

FENCE = re.compile(r"^ *(```+|~~~+|:::+)")
LINK = re.compile(
    r"(?P<code>(?P<ticks>`+)(?:(?!(?P=ticks))[^\n]|\n(?!\n))*(?P=ticks))"
    r"|(?P<image>!?)\[(?P<text>(?:`[^`\n]*`|[^\]\[`])*)\]\((?P<target>[^)\s]+)\)"
)
QUOTED = re.compile(r"^// ((?:steps|common|tests|data)/[\w./-]+)$")


def page_of(path):
    """The page of a Markdown file: docs/ is the site's root."""
    path = path.removeprefix("docs/")
    return "chapters.md" if path == "README.md" else path


class Converter:
    def __init__(self):
        self.wanted = []  # Markdown files outside docs/ that some page links to

    def convert(self, text, path, page=None):
        """`path` is the file in the repository that the text is from; its links are relative to it."""
        self.path, self.page = path, page or page_of(path)
        parts, fence, block = [], None, []
        for line in text.splitlines(keepends=True):
            match = FENCE.match(line)
            if match and match[1][0] != ":" and fence is None:
                parts.append(self.prose("".join(block)))
                fence, block = match[1], [line]
            elif fence and match and match[1].startswith(fence) and line.strip() == match[1]:
                parts.append(self.fenced([*block, line]))
                fence, block = None, []
            else:
                block.append(line)
        if fence:
            problem(path, f"a code block is not closed: {block[0].strip()}")
        parts.append(self.prose("".join(block)))
        return "".join(parts)

    def prose(self, text):
        return LINK.sub(self.link, text)

    def link(self, match):
        target = match["target"]
        if match["code"] or re.match(r"[a-z]+:", target) or target.startswith("#"):
            return match[0]
        file, _, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(os.path.dirname(self.path), file))
        if not (root / file).is_file():
            if (root / file / "README.md").is_file():
                file += "/README.md"
            else:
                problem(self.path, f"link to {target}: no such file")
                return match["text"]
        if match["image"]:
            themed = not file.endswith(".svg") or "prefers-color-scheme" in read(file)
            return f"![{match['text']}]({relative(page_of(file), self.page)})" + ("" if themed else "{.paper}")
        if file.endswith(".md"):
            if not file.startswith("docs/"):
                self.wanted.append(file)
            address = relative(page_of(file), self.page) + (f"#{anchor}" if anchor else "")
            return f"[{match['text']}]({address})"
        return source_link(file, self.page, self.anchor_line(file, match["text"]), match["text"])

    def anchor_line(self, file, text):
        code = re.fullmatch(r"`([^`]*)`", text)
        if not code or file.endswith(code[1]):
            return None
        line = line_of(file, code[1])
        if line is None:
            problem(self.path, f"{file} has no line with: {code[1]}")
        return line

    def fenced(self, block):
        match = QUOTED.match(block[1].strip()) if block[0].strip() == "```cpp" and len(block) > 2 else None
        if not match:
            return "".join(block)
        first = self.check_quotation(match[1], block[2:-1])
        source = f'<div class="quoted">{source_link(match[1], self.page, first)}</div>\n'
        return "".join([block[0], *block[2:]]) + "\n" + source

    def check_quotation(self, file, lines):
        """The number of the first quoted line. A quoted line may leave out a comment at its end; ... skips lines."""
        if not (root / file).is_file():
            problem(self.path, f"quotes {file}: no such file")
            return None
        source = [line.strip() for line in read(file).splitlines()]
        first, at = None, 0
        for line in (line.strip() for line in lines):
            if line in ("", "..."):
                continue
            found = next((i for i in range(at, len(source)) if source[i] == line or
                          re.fullmatch(re.escape(line) + r" +//.*", source[i])), None)
            if found is None:
                problem(self.path, f"{file} has no such line at this place: {line}")
                return first
            first, at = first or found + 1, found + 1
        return first
