"""Solution regions of an annotated source.

    //@solution 08.1 [label]
    the solution's lines
    //@stub
    //| the starter's lines, each behind //|
    //@end

In files whose comments begin with #, the markers do too (#@solution). A wrong answer (wrong/NAME.cpp) has
regions without a stub, which replace the solution's regions of the same label.
"""

import re

from errors import CourseError

MARKER = re.compile(r"^\s*(?://|#)@(\w+)\s*(.*?)\s*$")
STUB_LINE = re.compile(r"^(\s*)(?://|#)\| ?(.*)$")


class Region:
    def __init__(self, owner, label, line):
        self.owner, self.label, self.line = owner, label, line
        self.solution, self.stub, self.has_stub = [], [], False


def parse(text, name):
    """Returns the parts of a source in order: lines outside of regions (str) and Regions."""
    parts, region = [], None
    for number, line in enumerate(text.splitlines(), 1):
        marker = MARKER.match(line)
        if marker is not None and marker[1] in ("fails", "student"):
            continue  # verify.py reads it
        if marker is None:
            _add_line(parts, region, line, f"{name}:{number}")
        elif marker[1] == "solution":
            if region is not None:
                raise CourseError(f"{name}:{number}: //@solution inside the region of line {region.line}")
            region = _begin(marker[2], number, f"{name}:{number}")
        elif region is None:
            raise CourseError(f"{name}:{number}: //@{marker[1]} without //@solution before it")
        elif marker[1] == "stub" and not region.has_stub:
            region.has_stub = True
        elif marker[1] == "end":
            parts.append(region)
            region = None
        else:
            raise CourseError(
                f"{name}:{number}: unexpected //@{marker[1]} in the region of line {region.line}"
            )
    if region is not None:
        raise CourseError(f"{name}:{region.line}: //@solution without //@end")
    return parts


def _begin(words, number, place):
    owner, _, label = words.partition(" ")
    if not owner:
        raise CourseError(f"{place}: //@solution needs the exercise's id")
    return Region(owner, label, number)


def _add_line(parts, region, line, place):
    if region is None:
        parts.append(line)
    elif not region.has_stub:
        region.solution.append(line)
    else:
        stub = STUB_LINE.match(line)
        if stub is None:
            raise CourseError(f"{place}: a line of a stub must begin with //|")
        region.stub.append((stub[1] + stub[2]).rstrip())


def regions(parts):
    return [part for part in parts if isinstance(part, Region)]


def _text(parts, lines_of):
    lines = []
    for part in parts:
        lines += lines_of(part) if isinstance(part, Region) else [part]
    return "\n".join(lines) + "\n"


def solution(text, name):
    return _text(parse(text, name), lambda region: region.solution)


def starter(text, name):
    return _text(parse(text, name), lambda region: region.stub)


def variant(text, name, wrong_text, wrong_name):
    """The solution with regions replaced; a wrong_text without regions replaces the whole file."""
    replacements = {region.label: region for region in regions(parse(wrong_text, wrong_name))}
    if not replacements:
        return wrong_text
    parts = parse(text, name)
    unknown = set(replacements) - {region.label for region in regions(parts)}
    if unknown:
        raise CourseError(f"{wrong_name}: {name} has no region '{unknown.pop()}'")
    return _text(parts, lambda region: replacements.get(region.label, region).solution)
