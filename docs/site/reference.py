"""The reference: a page for each header of common/, made of its own comments and declarations.

The headers are formatted by clang-format and hold one declaration, with its comment above it, between blank lines. So a
blank line outside all braces separates entries. Private members are left out.
"""
import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import CppLexer

from repository import read, root, source_link, step_names

# What the folders of common/ are, in the order of the architecture, from the top.
FOLDERS = {
    "app": "the command line, the log, time and memory of a program",
    "training": "a long run: its folder, checkpoints and data",
    "dist": "many processes that train one model",
    "eval": "HellaSwag",
    "nn": "modules, layers, pretrained weights",
    "optim": "AdamW",
    "data": "files of weights and tokens, and loaders of batches",
    "text": "tokenizers and sampling",
    "ops": "the ops with their backward passes, and autograd",
    "kernels": "the arithmetic, for CPU and CUDA",
    "tensor": "tensors, memory, devices, random numbers",
    "base": "files, JSON, errors",
    "tales": "the generator of the embedded text",
}

NAME = re.compile(
    r"\b(?:class|struct|enum class|using|concept)\s+(\w+)"
    r"|\b(operator\s*(?:\(\)|\S{1,2}))\s*\("
    r"|\bconstexpr [\w:<>]+ (\w+)"
    r"|^#define (\w+)"
    r"|(\w+)\s*\("
)
SKIPPED = re.compile(r"#(include|pragma|if|ifdef|ifndef|else|endif)\b|(inline )?namespace\b|\}  // namespace|FOR_CPU_AND_CUDA\($|extern template|\}$")


def headers():
    for folder in FOLDERS:
        for path in sorted(root.glob(f"common/{folder}/*.h")):
            yield str(path.relative_to(root))


def split(text):
    """The comment at the head of the file, and the entries after it as lists of lines."""
    lines = text.splitlines()
    length = next((i for i, line in enumerate(lines) if not line.startswith("//")), 0)
    entries, entry, depth = [], [], 0
    for line in lines[length:]:
        if depth == 0 and SKIPPED.match(line.strip()) or (depth == 0 and not line.strip()):
            if entry and not line.strip().startswith("#"):
                entries.append(entry)
                entry = []
            continue
        entry.append(line)
        code = line.split("//")[0]
        depth += code.count("{") - code.count("}")
    return lines[:length], entries + [entry] * bool(entry)


def public(lines):
    """The lines of a declaration without its private part."""
    kept, hidden = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if hidden is not None and line.strip() and indent < hidden:
            hidden = None
            while kept and not kept[-1].strip():
                kept.pop()
        if line.strip() == "private:":
            hidden = indent
        if hidden is None:
            kept.append(line)
    return kept


def prose(comment):
    """Markdown of a comment: its paragraphs, and what is indented in it as it is."""
    blocks = []  # (indented, lines)
    for line in comment:
        text = re.sub(r"^\s*// ?", "", line)
        indented = text.startswith("  ") or bool(blocks and blocks[-1][0] and not text.strip())
        if not blocks or blocks[-1][0] != indented:
            blocks.append((indented, []))
        blocks[-1][1].append(text)
    return "\n\n".join(as_it_is(lines) if indented else "\n".join(link_chapters(escape(line)) for line in lines)
                       for indented, lines in blocks)


def link_chapters(text):
    """"since 05_tf32" becomes a link to the chapter."""
    for step in step_names():
        text = text.replace(f"since {escape(step)}", f"since [{escape(step)}](/{step}.md)")
    return text


def as_it_is(lines):
    """A fenced block, of C++ if its lines end as C++ does."""
    is_code = any(re.search(r"[;{}](\s*//.*)?$", line) for line in lines)
    return "\n".join(["```cpp" if is_code else "```", *lines, "```"])


def escape(text):
    return re.sub(r"([\\*_<>\[\]`#|$~])", r"\\\1", text)


def first_sentence(header):
    """What a header says first about itself, as Markdown."""
    lines = [line.removeprefix("//").strip() for line in split(read(header))[0]]
    paragraph = " ".join(lines[: lines.index("")] if "" in lines else lines)
    return escape(re.match(r".*?(?=\. [A-Z]|[.:]?$)", paragraph)[0])


FORWARD = re.compile(r"\s*(class|struct|enum class) \w+( : \w+)?;( +//.*)?")


def declared_names(code):
    """The names that an entry declares: of a class its own, of several functions each one's."""
    indent = min(len(line) - len(line.lstrip()) for line in code)
    names, expects = [], True
    for line in code:
        text = line.split("//")[0].strip()
        if expects and len(line) - len(line.lstrip()) == indent and text and not text.startswith(("template", "requires", "}")):
            match = NAME.search(re.sub(r"\[\[\w+\]\]|__\w+__", "", text))
            found = next((group for group in match.groups() if group), "") if match else ""
            names += [found] * (found not in ("", "char", "sizeof", "requires"))
        expects = text.endswith((";", "}")) or text.startswith(("template", "requires")) or not text
    return list(dict.fromkeys(names))


def block(code):
    indent = min(len(line) - len(line.lstrip()) for line in code if line.strip())
    text = "\n".join(line[indent:] for line in code).rstrip(")") if code[-1].rstrip().endswith(";)") else \
        "\n".join(line[indent:] for line in code)
    html = highlight(text, CppLexer(), HtmlFormatter(nowrap=True))
    return f'```{{raw}} html\n<div class="highlight reference-code"><pre>{html}</pre></div>\n```\n'


def page(header, name):
    """The text of a header's page, and the names that it declares: [(name, label)]."""
    comment, entries = split(read(header))
    parts = [f"---\norphan: true\n---\n# {header.removeprefix('common/')}\n", prose(comment), f"\n{source_link(header, name)}\n"]
    names = []
    for entry in entries:
        entry = public(entry)
        length = next((i for i, line in enumerate(entry) if not line.strip().startswith("//")), len(entry))
        code = entry[length:]
        if code and all(FORWARD.fullmatch(line) for line in code):
            continue
        new = [known for known in declared_names([line for line in code if line.strip()]) if known not in dict(names)] if code else []
        if new:
            label = re.sub(r"\W", "-", header.lower()) + f"-{len(names)}"
            names += [(known, label) for known in new]
            parts.append(f"\n({label})=\n## {escape(', '.join(new))}\n")
        parts.append("\n" + prose(entry[:length]) + "\n")
        if code:
            parts.append("\n" + block(code))
    return "\n".join(parts), names


def pages():
    """{page: text}: an index of folders, an index of names, and a page for each header."""
    result, every_name, folders = {}, [], {}
    for header in headers():
        name = f"reference/{header.removeprefix('common/').removesuffix('.h')}.md"
        result[name], names = page(header, name)
        every_name += [(declared, label, header) for declared, label in names]
        folders.setdefault(header.split("/")[1], []).append(name)
    index = ["# The library's reference\n\nA page for each header of `common/`, from the top of the architecture to its "
             "floor: a folder uses only the folders below it. [All names](names.md), alphabetically.\n"]
    for folder, names in folders.items():
        index.append(f"\n## {folder}\n\n{FOLDERS[folder]}\n\n")
        for name in names:
            header = name.removeprefix("reference/").removesuffix(".md") + ".h"
            index.append(f"- [{header}]({name.removeprefix('reference/')}): {first_sentence(f'common/{header}')}\n")
    result["reference/index.md"] = "".join(index)
    rows = sorted(every_name, key=lambda row: (row[0].lower(), row[2]))
    result["reference/names.md"] = "---\norphan: true\n---\n# All names\n\n| name | header |\n|---|---|\n" + "".join(
        f"| [`{declared}`](#{label}) | `{header}` |\n" for declared, label, header in rows)
    return result
