"""Chapters 12 and 17: what ranks do when, who reads what, and who keeps what."""

from registry import figure
from style import SMALL, Figure


@figure(
    "12_timeline",
    "One optimizer step on two ranks",
    """Time lines of two ranks with two micro-batches each. The first backward pass sends nothing. During the second,
    bucket after bucket of gradients is averaged while the pass goes on. The largest bucket, wte, comes last.
    Then both ranks compute the norm and run AdamW.""",
)
def timeline():
    f = Figure(346)
    left, begin = 72, 72 + 174
    f.text(left, 26, "micro-batch 1", SMALL, "muted")
    f.text(left + 132, 26, "micro-batch 2, the last one", SMALL, "muted")
    for rank, compute, network in ((0, 38, 112), (1, 254, 180)):
        f.text(12, compute + 24, f"rank {rank}", 14, "ink", bold=True)
        x = left
        for name, width, color in (("F", 42, "blue"), ("B", 90, "orange"), ("F", 42, "blue"), ("B", 126, "orange")):
            f.box(x, compute, width - 3, 38, name, color, 14)
            x += width
        near, far = (compute + 38, network - 1) if rank == 0 else (compute, network + 29)
        for bucket in range(5):
            start = begin + 20 + bucket * 21
            f.line([(start, near), (start, far)], "green", 1.2)
            f.rect(start, network, 17, 28, "green-soft", "green", 1.2, radius=2)
        end = begin + 123
        f.line([(end, near), (end, far + (14 if rank == 0 else -14))], "green", 1.2)
        f.box(end + 2, network, 56, 28, "wte", "green", SMALL)
        f.box(end + 62, compute, 48, 38, "norm", "purple", SMALL)
        f.box(end + 113, compute, 62, 38, "AdamW", "purple", SMALL)
        f.text(end + 30, compute + 24, "waits", SMALL, "muted", "middle")
    for x in [begin + 28.5 + 21 * k for k in range(5)] + [begin + 153]:
        f.line([(x, 141), (x, 179)], "green", 1.5, both=True)
    f.lines(left, 146, ["nothing is sent:", "gradients add up", "on each rank"], SMALL, color="muted")
    f.text(438, 156, "averaged while", SMALL, "green", bold=True)
    f.text(438, 174, "B goes on", SMALL, "green", bold=True)
    f.text(left, 328, "F: forward", SMALL, "blue")
    f.text(left + 84, 328, "B: backward", SMALL, "orange")
    f.text(548, 328, "now all ranks have the same weights", SMALL, "purple", "end")
    return f


@figure(
    "12_rows",
    "Who reads which rows",
    """Twelve rows of text in order. One rank reads them as six micro-batches of two rows. Three ranks read the same
    twelve rows as two rounds: in each, rank 0 has the first two, rank 1 the next two, rank 2 the last two.""",
)
def rows():
    f = Figure(296)
    cell, left, colors = 41, 52, ("blue", "orange", "green")
    f.text(20, 28, "the text, in rows of T tokens and their targets", SMALL, "muted")
    for i in range(12):
        f.box(left + i * cell, 40, cell - 4, 34, str(i), "panel", 14)
    f.text(20, 112, "one rank, B = 2: six micro-batches, one after the other", bold=True, size=14)
    for i in range(12):
        f.box(left + i * cell, 124, cell - 4, 34, str(i), "blue", 14)
    for m in range(6):
        f.bracket(left + 2 * m * cell, left + (2 * m + 2) * cell - 4, 162, "blue", 5)
    f.text(20, 212, "three ranks, B = 2: two rounds", bold=True, size=14)
    for i in range(12):
        f.box(left + i * cell, 224, cell - 4, 34, str(i), colors[i // 2 % 3], 14)
    for m in range(6):
        color = colors[m % 3]
        f.bracket(left + 2 * m * cell, left + (2 * m + 2) * cell - 4, 262, color, 5)
        f.text(left + (2 * m + 1) * cell - 2, 284, f"rank {m % 3}", SMALL, color, "middle")
    f.line([(left + 6 * cell - 2, 218), (left + 6 * cell - 2, 288)], "ink", 1.8, dash="5 4")
    return f


@figure(
    "17_partition",
    "Who keeps which part of the optimizer's state",
    """A block of parameters, cut into slices. Each slice is cut into four parts, one for each of four ranks, in the same
    order in every slice. Behind the last slice lies a small rest that is not divided: all ranks keep it.""",
)
def partition():
    f = Figure(226)
    left, part, gap, top = 20, 35, 10, 62
    colors = ("blue", "orange", "green", "purple")
    f.text(left, 28, "the block: all parameters, one behind the other", SMALL, "muted")
    x = left
    for index, name in enumerate(("slice 0", "slice 1", "slice 2, the last")):
        width = part if index < 2 else 0.7 * part
        f.text(x, top - 8, name, SMALL, "muted")
        for rank, color in enumerate(colors):
            f.box(x + rank * width, top, width - 2, 40, str(rank), color, 14)
        x += 4 * width + gap
    f.box(x, top, 14, 40, "", "panel", 14)
    f.text(x - 2, top - 8, "rest", SMALL, "muted")
    f.text(left, 146, "what rank 2 keeps: moments and master weights of", bold=True, size=14)
    x = left
    for width in (part, part, 0.7 * part):
        f.box(x, 160, width - 2, 40, "2", "green", 14)
        x += width
    f.box(x, 160, 14, 40, "", "panel", 14)
    f.text(x + 30, 184, "a quarter of the block, and the rest", SMALL, "green")
    return f
