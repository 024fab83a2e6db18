"""Chapter 04: batches, the tape, the loss, the initialisation."""

import json

from chart import DATA, Axes, read_columns
from registry import figure
from style import SMALL, Figure


@figure(
    "04_batch",
    "Inputs and targets from one row of tokens",
    """A row of 13 tokens. The first 12 are cut into two rows of six, the inputs x. The last 12, shifted by one, are cut
    the same way: the targets y. Below each input stands the token that follows it.""",
)
def batch():
    f = Figure(318)
    text = "Lily was sad."
    cell, left, top = 38, 33, 62
    for i, letter in enumerate(text):
        f.rect(left + i * cell, top, cell - 3, 34, "panel", "muted", 1)
        f.text(left + i * cell + 17.5, top + 23, letter if letter != " " else "␣", mono=True, anchor="middle")
        f.text(left + i * cell + 17.5, top + 50, str(i), 12, "muted", "middle")
    f.bracket(left, left + 12 * cell - 3, top - 8, "blue", -6)
    f.text(left + 6 * cell, top - 22, "x: tokens 0 to BT - 1", SMALL, "blue", "middle", bold=True)
    f.bracket(left + cell, left + 13 * cell - 3, top + 58, "orange")
    f.text(left + 7 * cell, top + 82, "y: tokens 1 to BT", SMALL, "orange", "middle", bold=True)
    for offset, name, color, x0 in ((0, "x", "blue", 33), (1, "y", "orange", 301)):
        f.text(x0, 190, f"{name}  (B = 2, T = 6)", SMALL, color, bold=True)
        for i in range(12):
            x, y = x0 + i % 6 * cell, 202 + i // 6 * 38
            f.rect(x, y, cell - 3, 34, color + "-soft", color, 1)
            letter = text[i + offset]
            f.text(x + 17.5, y + 23, letter if letter != " " else "␣", mono=True, anchor="middle")
    for x0 in (33, 301):
        f.rect(x0 + 3 * cell - 2.5, 199.5, cell + 2, 39, None, "ink", 2.5)
    f.text(
        280, 306, "at every position: given this token and those before it, predict that one", SMALL, "muted", "middle"
    )
    f.curve(
        (33 + 3.5 * cell, 196), (33 + 3.5 * cell, 168), (301 + 3.5 * cell, 168), (301 + 3.5 * cell, 197), "ink", 1.5
    )
    return f


@figure(
    "04_tape",
    "The tape and the way back",
    """Five boxes in the order of the forward pass: embedding, blocks, ln_f, lm_head, cross_entropy. Arrows to the right
    carry values, arrows to the left gradients. lm_head writes the gradient of the tied matrix wte first, the
    embedding adds to it last.""",
)
def tape():
    f = Figure(330)
    names = ("embedding", "12 blocks", "ln_f", "lm_head", "loss")
    left, gap, w, top = 12, 15, 95, 76
    f.text(left, 30, "forward: each op appends a record", SMALL, "blue", bold=True)
    f.line([(276, 25), (360, 25)], "blue", 2, arrow=True)
    for i, name in enumerate(names):
        x = left + i * (w + gap)
        f.text(x + w / 2, top - 14, f"record {i + 1}", 12, "muted", "middle")
        f.box(x, top, w, 64, name, "panel", 14, mono=True)
        if i:
            f.line([(x - gap, top + 20), (x - 1, top + 20)], "blue", 2, arrow=True)
            f.line([(x, top + 46), (x - gap + 1, top + 46)], "orange", 2, arrow=True)
    f.text(548, top + 94, "backward: the records run last to first", SMALL, "orange", "end", bold=True)
    f.line([(264, top + 90), (180, top + 90)], "orange", 2, arrow=True)
    f.box(150, 244, 262, 46, ["gradient of wte = lm_head.weight,", "one matrix"], "purple", SMALL)
    x4, x1 = left + 3 * (w + gap) + w / 2, left + w / 2
    f.line([(x4, top + 64), (x4, top + 76)], "orange", 1.8)
    f.line([(x4, top + 104), (x4, 243)], "orange", 1.8, arrow=True)
    f.text(x4 + 12, 222, "=", 18, "orange", bold=True)
    f.text(x4 + 30, 222, "first: overwrites", SMALL, "muted")
    f.line([(x1, top + 64), (x1, 267), (149, 267)], "orange", 1.8, arrow=True)
    f.text(x1 + 10, 222, "+=", 18, "orange", bold=True)
    f.text(x1 + 40, 222, "last: adds", SMALL, "muted")
    f.text(280, 316, "blue: values · orange: gradients", SMALL, "muted", "middle")
    return f


@figure(
    "04_loss",
    "Fifty losses, ours and torch's",
    """The training loss falls from 5.6 to 3.1 in fifty steps. A wide pale line is torch's, dots on it are ours; they
    coincide. A dashed line marks ln 257 = 5.549, the loss of a uniform guess.""",
)
def loss():
    f = Figure(316)
    ours = read_columns("loss")
    golden = json.loads((DATA.parents[2] / "tests/golden/losses.json").read_text(encoding="utf-8"))
    axes = Axes(f, (44, 40, 496, 222), (0, 49.5), (3, 5.75))
    axes.yticks([3, 3.5, 4, 4.5, 5, 5.5], ["3.0", "3.5", "4.0", "4.5", "5.0", "5.5"], "loss")
    axes.xticks([0, 10, 20, 30, 40, 49], title="step")
    f.line([(44, axes.y(5.549)), (540, axes.y(5.549))], "muted", 1.5, dash="6 5")
    axes.label(49.5, 5.549, "ln 257 = 5.549: a uniform guess", "muted", dy=-8, size=SMALL, anchor="end")
    axes.curve(ours["step"], golden["tiny"]["loader"], "orange-soft", 9)
    axes.dots(ours["step"], ours["ours"], "blue", 2.8)
    f.circle(296, 112, 2.8, "blue")
    f.text(314, 117, "04_overfit", color="blue", bold=True)
    f.line([(286, 134), (306, 134)], "orange-soft", 9)
    f.text(314, 139, "the video's code under torch", color="orange", bold=True)
    f.text(314, 159, "relative difference: at most 4e-7", SMALL, "muted")
    return f


@figure(
    "04_overfit",
    "A thousand steps on one batch",
    """The loss of one repeated batch on a logarithmic axis, from 5.6 down to 0.0063 in a thousand steps. It crosses
    0.01 at step 772. The loss of always new batches stays above 3 in the first fifty steps.""",
)
def overfit():
    f = Figure(300)
    one, many = read_columns("overfit"), read_columns("loss")
    axes = Axes(f, (56, 40, 484, 206), (0, 1000), (0.004, 10), ylog=True)
    axes.yticks([0.01, 0.1, 1, 10], title="loss, logarithmic")
    axes.xticks([0, 200, 400, 600, 800, 1000], title="step")
    axes.curve(one["step"], one["loss"], "blue", 2.2)
    axes.curve(many["step"], many["ours"], "orange", 2.2)
    axes.label(62, 3.2, "a new batch in every step", "orange", bold=True)
    axes.label(210, 0.16, "the same batch: --overfit", "blue", bold=True)
    f.circle(axes.x(772), axes.y(0.01), 4.5, "ground", "blue", 2)
    axes.label(772, 0.01, "below 0.01 at step 772", "ink", dy=-14, size=SMALL, anchor="middle")
    return f


@figure(
    "04_residual",
    "Why c_proj starts smaller",
    """The standard deviation of a sum of n random vectors. Unscaled it grows like the square root of n, to 4.9 for
    GPT-2's 24 additions and 9.8 for 96. If each is divided by the square root of their number, it ends at 1.""",
)
def residual():
    f = Figure(308)
    data = read_columns("residual")
    axes = Axes(f, (44, 40, 496, 214), (0, 96), (0, 11.5))
    axes.yticks([0, 2, 4, 6, 8, 10], title="standard deviation of the residual stream")
    axes.xticks([1, 24, 48, 72, 96], title="updates added, two in each block")
    axes.curve(data["n"], data["plain"], "orange", 2.5)
    axes.curve(data["n"], data["scaled"], "blue", 2.5)
    for n, text in ((24, "12 blocks"), (96, "48 blocks")):
        f.line([(axes.x(n), axes.y(0)), (axes.x(n), axes.y(data["plain"][n - 1]))], "muted", 1, dash="3 4")
        f.circle(axes.x(n), axes.y(data["plain"][n - 1]), 4.5, "ground", "orange", 2)
        anchor, dx = ("start", 10) if n == 24 else ("end", 6)
        f.text(axes.x(n) + dx, axes.y(data["plain"][n - 1]) + (16 if n == 24 else -12), text, SMALL, "muted", anchor)
    axes.label(40, 7.4, "equal updates: √n", "orange", bold=True, anchor="end")
    axes.label(94, 1.45, "each divided by √96: ends at 1", "blue", bold=True, anchor="end")
    return f
