"""Chapter 08: the online softmax, tiles, who adds what, memory."""

import math

from chart import Axes, read_columns
from registry import figure
from style import SMALL, Figure


_SCORES = (1, 0, 3, 2)


def _terms(f, start, title, count, m):
    """The scores so far and a bar for each exp(s - m)."""
    f.text(start, 26, title, bold=True)
    for j in range(4):
        color = "blue" if j < 2 else "orange"
        x = start + j * 50
        if j < count:
            f.box(x, 42, 44, 28, str(_SCORES[j]), color, 14)
        else:
            f.rect(x, 42, 44, 28, None, "faint", 1.2, dash="4 4")
    base = 204
    f.line([(start - 4, base), (start + 198, base)], "muted", 1)
    for j in range(count):
        value = math.exp(_SCORES[j] - m)
        x = start + j * 50
        if count == 4 and j < 2:
            before = math.exp(_SCORES[j] - 1)
            f.rect(x, base - 84 * before, 44, 84 * before, None, "blue", 1.2, radius=2, dash="4 4")
        f.rect(x, base - 84 * value, 44, 84 * value, "blue" if j < 2 else "orange", radius=2)
        above = base - 84 * value - 6
        f.text(x + 22, above, "1" if value == 1 else f"{value:.3f}", SMALL, "ink", "middle")


def _sums(f, first, second):
    """m, l and a after each tile."""
    l1 = 1 + math.exp(-1)
    l2 = l1 * math.exp(1 - 3) + 1 + math.exp(-1)
    rows = (
        ("m", "1", "3", "the larger of 1 and 3"),
        ("l", f"{l1:.3f}", f"{l2:.3f}", f"{l1:.3f} x 0.135 + 1 + 0.368"),
        ("a", "v0 + 0.368 v1", "0.135 v0 + 0.050 v1", "+ v2 + 0.368 v3"),
    )
    for i, (name, before, after, how) in enumerate(rows):
        y = 228 + i * 52
        f.text(12, y + 24, name, 17, "ink", bold=True, italic=True)
        f.rect(first - 4, y, 152, 38, "blue-soft", radius=4)
        f.text(first + 72, y + 24, before, 14, "ink", "middle")
        f.line([(first + 152, y + 19), (second - 60, y + 19)], "ink", 1.8, arrow=True)
        f.rect(second - 56, y, 264, 38, "purple-soft", radius=4)
        f.text(second - 44, y + 24, after, 14, "ink", bold=name != "a")
        f.text(second + 200, y + 24, how, SMALL, "muted" if name != "a" else "ink", "end")


@figure(
    "08_online_softmax",
    "The online softmax over two tiles",
    """Four scores in two tiles: 1 and 0, then 3 and 2. After tile 1, m = 1 and l = 1.368. Tile 2 has a larger score, so
    m becomes 3; everything summed so far shrinks by exp(1 - 3) = 0.135, and tile 2's terms are added: l = 1.553.""",
)
def online_softmax():
    f = Figure(418)
    first, second = 92, 344
    f.text(12, 60, "scores", SMALL, "muted")
    _terms(f, first, "after tile 1", 2, 1)
    _terms(f, second, "after tile 2", 4, 3)
    f.lines(12, 160, ["exp(s - m)"], SMALL, color="muted")
    f.line([(first + 204, 160), (second - 10, 160)], "ink", 1.8, arrow=True)
    f.text(first + 222, 146, "x 0.135", SMALL, "ink", "middle", bold=True)
    _sums(f, first, second)
    f.text(540, 400, "at the end y = a / l, the same as all four at once", SMALL, "purple", "end", bold=True)
    return f


@figure(
    "08_tiles",
    "Which tiles are computed",
    """A grid of 8 x 8 tiles, queries downwards, keys to the right. The 28 tiles right of the diagonal are skipped. The
    8 on the diagonal need a mask. The 28 on the left are computed whole. One row of tiles is outlined: a block
    goes through it from left to right.""",
)
def tiles():
    f = Figure(352)
    left, top, cell, n = 54, 52, 34, 8
    f.text(left + n * cell / 2, 24, "keys, 64 in a tile", SMALL, "muted", "middle")
    f.line([(left, 36), (left + n * cell, 36)], "muted", 1.2, arrow=True)
    f.text(26, top + n * cell / 2, "queries", SMALL, "muted", "middle", turn=-90)
    f.line([(40, top), (40, top + n * cell)], "muted", 1.2, arrow=True)
    for i in range(n):
        for j in range(n):
            x, y, w = left + j * cell + 1, top + i * cell + 1, cell - 3
            if j < i:
                f.rect(x, y, w, w, "blue-soft", "blue", 1.2, radius=2)
            elif j > i:
                f.rect(x, y, w, w, None, "faint", 1, radius=2, dash="3 4")
            else:
                f.path(f"M{x} {y}L{x + w} {y + w}L{x} {y + w}Z", None, fill="orange")
                f.rect(x, y, w, w, None, "orange", 1.5, radius=2)
    row = 5
    f.rect(left - 2, top + row * cell - 2, (row + 1) * cell + 2, cell + 1, None, "ink", 2.5)
    f.line([(left + 8, top + (row + 0.5) * cell - 0.5), (left + (row + 1) * cell - 8, top + (row + 0.5) * cell - 0.5)],
           "ink", 1.8, arrow=True)  # fmt: skip
    x = 352
    f.rect(x, 62, 22, 22, "blue-soft", "blue", 1.2, radius=2)
    f.text(x + 34, 78, "28 computed whole", 14)
    f.path(f"M{x} 102L{x + 22} 124L{x} 124Z", None, fill="orange")
    f.rect(x, 102, 22, 22, None, "orange", 1.5, radius=2)
    f.text(x + 34, 118, "8 with a mask", 14)
    f.rect(x, 142, 22, 22, None, "faint", 1.2, radius=2, dash="3 4")
    f.text(x + 34, 158, "28 skipped", 14)
    f.rect(x - 1, 208, 28, 20, None, "ink", 2.5)
    f.lines(x + 40, 214, ["one block's work:", "it keeps m, l and a of", "its queries and uses", "each tile once"], 14)
    return f


@figure(
    "08_owners",
    "Who adds to which gradient",
    """Two triangles of tiles. In the left one a column is marked: a block owns keys, goes down through the queries, and
    sums dk and dv. In the right one a row is marked: a block owns queries, goes right through the keys, and sums
    dq.""",
)
def owners():
    f = Figure(358)
    cell, n, top = 36, 6, 66
    for left, color, title, what in ((34, "orange", "kernel 1: a block owns keys", "dk, dv"),
                                     (322, "blue", "kernel 2: a block owns queries", "dq")):  # fmt: skip
        f.text(left - 4, 28, title, 14, color, bold=True)
        f.text(left + n * cell / 2, top - 10, "keys", SMALL, "muted", "middle")
        f.text(left - 12, top + n * cell / 2, "queries", SMALL, "muted", "middle", turn=-90)
        for i in range(n):
            for j in range(i + 1):
                mine = j == 1 if what != "dq" else i == 4
                x, y = left + j * cell + 1, top + i * cell + 1
                f.rect(x, y, cell - 3, cell - 3, (color + "-soft") if mine else "panel", color if mine else "faint",
                       1.5 if mine else 1, radius=2)  # fmt: skip
        if what == "dq":
            y = top + 4.5 * cell
            f.line([(left + 8, y), (left + 5 * cell - 6, y)], "ink", 2, arrow=True)
            f.line([(left + 5 * cell, y), (left + n * cell - 30, y)], color, 2)
            f.box(left + n * cell - 34, y - 15, 42, 30, "dq", color, 14, bold=True)
        else:
            x = left + 1.5 * cell
            f.line([(x, top + cell + 8), (x, top + n * cell - 6)], "ink", 2, arrow=True)
            f.box(x - 36, top + n * cell + 8, 72, 30, "dk, dv", color, 14, bold=True)
    f.text(
        280,
        344,
        "each sum has one owner and a fixed order: no atomics, the same bits in every run",
        SMALL,
        "muted",
        "middle",
    )
    return f


@figure(
    "08_memory",
    "Memory of a training step over T",
    """Memory in GB over the sequence length T, 128 to 1024, for GPT-2 124M with 512 sequences. 06 curves up to 944 GB
    and 07 to 390 GB, growing with the square of T. 08 is a straight line that ends at 234 GB.""",
)
def memory():
    f = Figure(336)
    data = read_columns("memory")
    axes = Axes(f, (52, 44, 438, 240), (0, 1024), (0, 1000))
    axes.yticks([0, 200, 400, 600, 800], title="GB for 512 sequences, GPT-2 124M")
    axes.xticks([128, 256, 384, 512, 640, 768, 896, 1024], title="T")
    for step, color in (("06", "orange"), ("07", "purple"), ("08", "blue")):
        axes.curve(data["T"], data[step], color, 2.4)
        axes.dots(data["T"], data[step], color, 3.5)
        f.text(axes.x(1024) + 8, axes.y(data[step][-1]) + 5, f"{data[step][-1]:.0f}", 14, color, bold=True)
    axes.label(620, 620, "06_bf16", "orange", bold=True, anchor="end", dx=24)
    axes.label(760, 330, "07_fusion", "purple", bold=True, anchor="end", dx=-4)
    axes.label(800, 56, "08_flash_attention: straight", "blue", bold=True, anchor="middle")
    return f
