"""Chapters 10 and 11: AdamW's memory, the schedule, gradient accumulation."""

from chart import Axes, read_columns
from registry import figure
from style import SMALL, Figure


@figure(
    "10_memory",
    "AdamW's four blocks",
    """Four equal bars: weights, gradients, m and v. In each, 124.4 million entries of matrices come first and 0.1
    million entries of vectors last. A column through all four is what one thread handles. Left of the boundary
    weights decay, right of it they do not.""",
)
def memory():
    f = Figure(336)
    left, width, vectors, height = 106, 434, 66, 34
    edge = left + width - vectors
    f.text((left + edge) / 2, 30, "50 matrices: decay", SMALL, "blue", "middle", bold=True)
    f.text((left + edge) / 2, 48, "124,354,560 numbers", SMALL, "muted", "middle")
    f.text(540, 30, "98 vectors: none", SMALL, "orange", "end", bold=True)
    f.text(540, 48, "121,344", SMALL, "muted", "end")
    names = (("weights", "read, written"), ("gradients", "read"), ("m", "read, written"), ("v", "read, written"))
    for i, (name, use) in enumerate(names):
        y = 62 + i * (height + 14)
        f.text(left - 10, y + 16, name, 14, "ink", "end", bold=True)
        f.text(left - 10, y + 31, use, 11.5, "muted", "end")
        f.rect(left, y, edge - left, height, "blue-soft", "blue")
        f.rect(edge, y, vectors, height, "orange-soft", "orange")
        for cut in (0.3, 0.316, 0.48, 0.53, 0.58, 0.73, 0.78, 0.83):
            f.line([(left + cut * (edge - left), y + 1), (left + cut * (edge - left), y + height - 1)], "blue", 0.6)
        for k in range(1, 8):
            f.line([(edge + k * vectors / 8, y + 1), (edge + k * vectors / 8, y + height - 1)], "orange", 0.6)
    bottom = 62 + 4 * (height + 14) - 14
    f.rect(left + 238, 56, 12, bottom - 50, None, "ink", 2.2)
    f.line([(edge, 54), (edge, bottom + 32)], "red", 2, dash="6 4")
    f.line([(left + 244, bottom + 8), (left + 244, bottom + 26)], "ink", 1.5)
    f.text(left + 250, bottom + 42, "thread k: entry k of all four", SMALL, "ink", "end")
    f.text(edge - 6, bottom + 30, "k < decayed", SMALL, "red", "end", mono=True)
    f.text(540, bottom + 78, "each block 497.9 MB; the vectors are drawn 150 times too wide", SMALL, "muted", "end")
    return f


@figure(
    "10_schedule",
    "Learning rate and gradient norm over 500 steps",
    """Above, the learning rate rises for ten steps to 6e-4 and falls along half a cosine to 6e-5. Below, two curves of
    the gradient norm: with 256 tokens a step it stays above 1, noisy; with 3072 it is lower. A dashed line marks
    the limit of clipping at 1.""",
)
def schedule():
    f = Figure(470)
    data = read_columns("schedule")
    top = Axes(f, (58, 42, 482, 110), (0, 500), (0, 6.6e-4))
    top.yticks([0, 2e-4, 4e-4, 6e-4], ["0", "2e-4", "4e-4", "6e-4"], "learning rate")
    top.xticks([0, 100, 200, 300, 400, 500])
    top.curve(data["step"], data["lr"], "purple", 2.5)
    top.label(16, 1.1e-4, "10 steps of warm-up", "muted", size=SMALL)
    top.label(290, 4.3e-4, "half a cosine", "purple", bold=True)
    low = Axes(f, (58, 226, 482, 196), (0, 500), (0.4, 9), ylog=True)
    low.yticks([0.5, 1, 2, 4, 8], title="norm of all gradients, logarithmic")
    low.xticks([0, 100, 200, 300, 400, 500], title="step")
    low.curve(data["step"], data["norm_256"], "orange", 1.2)
    low.curve(data["step"], data["norm_3072"], "blue", 1.4)
    f.line([(58, low.y(1)), (540, low.y(1))], "red", 1.8, dash="6 4")
    low.label(140, 5, "10_adamw: 256 tokens a step", "orange", bold=True)
    low.label(140, 3.7, "11_grad_accum: 3072 tokens", "blue", bold=True)
    low.label(498, 0.62, "--grad-clip 1: longer gradients are cut to 1", "red", size=SMALL, anchor="end", dy=4)
    return f


@figure(
    "11_accumulation",
    "One optimizer step out of micro-batches",
    """Six micro-batches, forward and backward each, then norm and AdamW. The memory of activations rises and falls in
    each micro-batch and never exceeds one batch's. The gradient is overwritten by the first micro-batch and
    grows with each further one. One large batch would need six times the memory.""",
)
def accumulation():
    f = Figure(372)
    left, cell, n = 98, 62, 6
    f.lines(12, 52, ["compute"], SMALL, color="muted")
    for i in range(n):
        x = left + i * cell
        f.box(x, 34, 24, 32, "F", "blue", 14)
        f.box(x + 24, 34, 35, 32, "B", "orange", 14)
    x = left + n * cell
    f.box(x, 34, 70, 32, ["AdamW"], "purple", SMALL)
    f.text(left, 22, "F: forward, B: backward of one micro-batch", SMALL, "muted")
    base, one = 210, 20
    f.lines(12, 150, ["memory of", "activations"], SMALL, color="muted")
    f.line([(left, base), (540, base)], "muted", 1)
    f.line([(left, base - 6 * one), (left + n * cell, base - 6 * one)], "muted", 1.5, dash="6 5")
    f.text(left + n * cell - 4, base - 6 * one + 18, "one batch of all six", SMALL, "muted", "end")
    path = f"M{left} {base}"
    for i in range(n):
        x = left + i * cell
        path += f"L{x + 24} {base - one}L{x + 59} {base}L{x + cell} {base}"
    f.path(path + "Z", "blue", 2, fill="blue-soft")
    base = 322
    f.lines(12, 276, ["gradient"], SMALL, color="muted")
    f.line([(left, base), (540, base)], "muted", 1)
    for i in range(n):
        x, h = left + i * cell + 24, (i + 1) * 14
        f.rect(x, base - h, cell - 2, h, "orange-soft", "orange", 1.2, radius=2)
        for k in range(1, i + 1):
            f.line([(x + 1, base - 14 * k), (x + cell - 3, base - 14 * k)], "orange", 0.6)
        sign = "=" if i == 0 else "+="
        f.text(x + 29, base - h - 7, sign, 14, "orange", "middle", bold=True)
    f.text(left + 24, base + 22, "zero_grad: the first overwrites", SMALL, "muted")
    f.text(540, base + 22, "each adds loss / 6", SMALL, "muted", "end")
    f.text(left + n * cell + 35, base - 100, "mean", SMALL, "purple", "middle")
    f.line([(left + n * cell + 35, base - 112), (left + n * cell + 35, 70)], "purple", 1.8, arrow=True)
    return f
