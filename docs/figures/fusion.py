"""Chapters 07, 09 and 14: trips through memory, alignment, launches."""

from registry import figure
from style import SMALL, Figure


@figure(
    "07_hierarchy",
    "Where a GPU keeps its numbers",
    """A chip with processors, each with registers and shared memory, and a second-level cache. Outside of the chip is
    the GPU's memory of 141 GB, connected by a narrow arrow of 4.8 TB/s, and beyond it the computer's memory,
    connected by a still narrower one.""",
)
def hierarchy():
    f = Figure(400)
    f.rect(20, 20, 520, 214, None, "muted", 1.5, radius=8, dash="5 5")
    f.text(34, 44, "on the chip: 132 processors (SM)", SMALL, "muted", bold=True)
    for k in range(4):
        x = 34 + k * 124
        last = k == 3
        f.rect(x, 56, 118, 88, "panel", "faint", 1.2, radius=6)
        f.box(x + 8, 64, 102, 32, "registers", "green", SMALL)
        f.box(x + 8, 104, 102, 32, "shared, L1", "green", SMALL)
        if last:
            f.text(x + 110, 44, "256 KB + 256 KB each", SMALL, "green", "end")
        f.line([(x + 59, 145), (x + 59, 175)], "green", 6)
    f.box(34, 178, 490, 40, "second-level cache, 50 MB for all", "blue", 14)
    f.line([(280, 220), (280, 268)], "orange", 4.5, both=True)
    f.text(296, 256, "4.8 TB/s: 1.2 x 10¹² floats a second", SMALL, "orange", bold=True)
    f.box(34, 270, 490, 40, "memory of the GPU, 141 GB: every tensor lives here", "orange", 14)
    f.line([(280, 312), (280, 346)], "red", 1.5, both=True)
    f.text(296, 334, "0.06 TB/s", SMALL, "red", bold=True)
    f.box(34, 348, 490, 34, "memory of the computer", "panel", 14)
    return f


def _trips(f, top, kernels, color):
    """A bar of memory above, kernels below; (x, name, bytes read, bytes written) each."""
    f.rect(20, top, 520, 30, "panel", "muted", 1)
    f.text(30, top + 20, "memory", SMALL, "muted")
    for x, width, name, reads, writes in kernels:
        f.box(x, top + 96, width, 38, name, color, SMALL, mono=True)
        step = width / (len(reads) + len(writes) + 1)
        for k, size in enumerate(reads):
            at = x + step * (k + 1)
            f.line([(at, top + 30), (at, top + 95)], "blue", 1.1 * size, arrow=True)
            f.text(at - 5 - size / 2, top + 68, str(size), SMALL, "blue", "end", bold=True)
        for k, size in enumerate(writes):
            at = x + step * (len(reads) + k + 1)
            f.line([(at, top + 96), (at, top + 31)], "orange", 1.1 * size, arrow=True)
            f.text(at + 5 + size / 2, top + 68, str(size), SMALL, "orange", bold=True)


@figure(
    "07_trips",
    "Trips through memory, before and after",
    """Before: add reads 4 and 2 bytes and writes 4, LayerNorm reads 4 and writes 4, a cast reads 4 and writes 2,
    together 24 bytes per element. After: one kernel reads 4 and 2 and writes 4 and 2, together 12.""",
)
def trips():
    f = Figure(394)
    f.text(20, 28, "06: three kernels, 24 bytes per element", bold=True)
    separate = (
        (56, 150, "add", (4, 2), (4,)),
        (222, 170, "layer_norm", (4,), (4,)),
        (408, 132, "cast", (4,), (2,)),
    )
    _trips(f, 42, separate, "purple")
    f.text(20, 220, "07: one kernel, 12 bytes", bold=True)
    _trips(f, 234, ((160, 240, "add_layer_norm", (4, 2), (4, 2)),), "green")
    f.text(150, 354, "the sum", SMALL, "green", "end")
    f.text(410, 354, "stays on the chip", SMALL, "green")
    f.text(20, 384, "blue: bytes read", SMALL, "blue")
    f.text(540, 384, "orange: bytes written", SMALL, "orange", "end")
    return f


@figure(
    "09_alignment",
    "Where rows begin",
    """Memory in pieces of 16 bytes, eight bf16 values each. With 50257 columns row 1 begins 2 bytes after a boundary,
    row 2 four bytes, row 3 six. With 50304 columns every row begins at a boundary.""",
)
def alignment():
    f = Figure(446)
    cell, left, height = 17, 108, 26
    for block, (columns, title, color) in enumerate(
        ((50257, "50257 columns: a row has 100,514 bytes = 16 x 6282 + 2", "red"),
         (50304, "50304 columns: a row has 100,608 bytes = 16 x 6288", "green"))
    ):  # fmt: skip
        top = 28 + block * 206
        f.text(20, top, title, 14, color, bold=True)
        for row in range(4):
            y = top + 20 + row * (height + 9)
            start = row * columns % 8
            f.text(left - 12, y + 18, f"row {row}", SMALL, "ink", "end")
            for k in range(24):
                mine = k >= start
                fill = (color + "-soft") if mine else "panel"
                f.rect(left + k * cell, y, cell - 1.5, height, fill, color if k == start else None, 2.2, radius=2)
            if start:
                f.text(left + start * cell + 6 + cell, y + 18, f"{2 * start} bytes late", SMALL, color)
            else:
                f.text(left + cell + 6, y + 18, "aligned", SMALL, color)
        for k in range(4):
            x = left + 8 * k * cell - 0.75
            f.line([(x, top + 12), (x, top + 20 + 4 * (height + 9))], "ink", 1.5)
        f.text(left + 4 * cell, top + 174, "16 bytes", SMALL, "muted", "middle")
        f.text(left + 12 * cell, top + 174, "16 bytes", SMALL, "muted", "middle")
        f.text(left + 20 * cell, top + 174, "16 bytes", SMALL, "muted", "middle")
    f.text(280, 436, "each box a bf16; grey: the end of the row before", SMALL, "muted", "middle")
    return f


@figure(
    "14_graph",
    "Launches one by one, and as a graph",
    """Two time lines. Above, the host launches eight kernels one after the other; each kernel is shorter than its
    launch, and the GPU waits in between. Below, the host launches one graph, and the eight kernels follow one
    another with almost no gaps.""",
)
def graph():
    f = Figure(330)
    left = 74
    lengths = (26, 20, 34, 22, 30, 18, 28, 24)
    f.text(20, 28, "--cuda-graph off: a launch for each kernel", bold=True, size=14)
    for name, y in (("host", 44), ("GPU", 92)):
        f.text(left - 12, y + 20, name, SMALL, "muted", "end")
        f.line([(left, y + 31), (540, y + 31)], "faint", 1)
    for i, length in enumerate(lengths):
        x = left + i * 54
        f.rect(x, 44, 50, 30, "orange-soft", "orange")
        f.rect(x + 50, 92, length, 30, "blue", radius=2)
        f.line([(x + 50, 74), (x + 50, 90)], "muted", 1.2)
    f.text(left + 25, 64, "launch", 11.5, "ink", "middle")
    f.text(left + 80 + 12, 144, "the GPU waits for the next launch", SMALL, "muted")
    f.line([(left + 86, 138), (left + 86, 114)], "muted", 1.2, arrow=True)
    top = 180
    f.text(20, top, "--cuda-graph on: one launch", bold=True, size=14)
    for name, y in (("host", top + 16), ("GPU", top + 64)):
        f.text(left - 12, y + 20, name, SMALL, "muted", "end")
        f.line([(left, y + 31), (540, y + 31)], "faint", 1)
    f.rect(left, top + 16, 60, 30, "orange-soft", "orange")
    f.text(left + 30, top + 36, "graph", SMALL, "ink", "middle")
    f.line([(left + 60, top + 46), (left + 60, top + 62)], "muted", 1.2)
    x = left + 60
    for length in lengths:
        f.rect(x, top + 64, length, 30, "blue", radius=2)
        x += length + 3
    f.text(left + 76, top + 36, "free for the next batch", SMALL, "muted")
    f.bracket(x, 540, top + 104, "green")
    f.text((x + 540) / 2, top + 128, "gained", SMALL, "green", "middle", bold=True)
    f.text(left, top + 128, "time →", SMALL, "muted")
    return f
