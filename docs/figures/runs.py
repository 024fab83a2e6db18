"""Chapter 13: HellaSwag, checkpoints, and a loss with a plateau."""

import csv
import math

from chart import DATA, Axes, read_columns
from registry import figure
from style import SMALL, Figure


@figure(
    "13_hellaswag",
    "How a question is scored",
    """A context of four sentences and four endings. Above each letter of an ending stands a bar, the loss of that
    letter. The right ending has the lowest mean, 0.23; in a wrong one the N of Noah costs 18. The context itself
    is not scored.""",
)
def hellaswag():
    f = Figure(496)
    with open(DATA / "endings.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    f.text(20, 26, "the context: read, not scored", SMALL, "muted", bold=True)
    f.rect(20, 36, 520, 80, "panel", radius=6)
    words, line, y = (DATA / "context.txt").read_text(encoding="utf-8").split(), "", 58
    for word in [*words, None]:
        if word is None or len(line) + len(word) > 64:
            f.text(34, y, line.strip(), SMALL, "ink")
            line, y = "", y + 22
        line += f" {word}"
    f.text(20, 142, "the endings: a bar is the loss of one letter", SMALL, "muted", bold=True)
    f.text(540, 142, "mean", SMALL, "muted", "end", bold=True)
    advance, left = 9.6, 44
    means = [sum(map(float, row["losses"].split())) / len(row["losses"].split()) for row in rows]
    for i, (row, mean) in enumerate(zip(rows, means)):
        base, best = 208 + i * 82, mean == min(means)
        color = "green" if best else "red"
        if best:
            f.rect(20, base - 54, 520, 78, "green-soft", "green", 1.5, radius=6)
        for k, value in enumerate(map(float, row["losses"].split())):
            height = min(value, 18) * 2.6
            if height > 0.3:
                f.rect(left + (k - 1) * advance + 1, base - height, advance - 2.5, height, color, radius=1)
        f.line([(left - advance, base + 0.5), (left + 43 * advance, base + 0.5)], "muted", 0.8)
        f.letters(left, base + 17, row["ending"].strip(), advance, 14)
        f.text(528, base + 5, f"{mean:.2f}", 16, color, "end", bold=True)
        if best:
            f.text(528, base - 28, "the answer", SMALL, "green", "end", bold=True)
    return f


@figure(
    "13_checkpoint",
    "A checkpoint appears whole or not at all",
    """Three views of a run's folder: before, with step_000200 alone; while the next one is written under the hidden
    name .step_000250.tmp; after the rename, with step_000250. Below, the files of a checkpoint: four that
    transformers reads, and two that only --resume reads.""",
)
def checkpoint():
    f = Figure(416)
    width, gap, left = 158, 23, 20
    views = (
        ("before", (("step_000200", "green", None),), "whole"),
        ("while it is written", (("step_000200", "green", None), (".step_000250.tmp", "red", "6 4")), "a power cut:"),
        ("after the rename", (("step_000200", "green", None), ("step_000250", "green", None)), "both whole"),
    )
    for i, (title, folders, _) in enumerate(views):
        x = left + i * (width + gap)
        f.text(x + width / 2, 28, title, 14, bold=True, anchor="middle")
        f.rect(x, 40, width, 120, "panel", radius=6)
        f.text(x + 12, 62, "runs/a/", SMALL, "muted", mono=True)
        for k, (name, color, dash) in enumerate(folders):
            f.rect(x + 10, 72 + k * 42, width - 20, 34, color + "-soft", color, 1.5, dash=dash)
            f.text(x + width / 2, 94 + k * 42, name, SMALL, "ink", "middle", mono=True)
        if i:
            f.line([(x - gap + 2, 100), (x - 2, 100)], "ink", 2, arrow=True)
    f.text(left + width + gap + width / 2, 180, "a power cut here costs", SMALL, "red", "middle")
    f.text(left + width + gap + width / 2, 197, "only the hidden folder", SMALL, "red", "middle")
    f.text(
        left + 1.5 * width + 1.5 * gap + 102,
        226,
        "fsync, then rename: one step for the file system",
        SMALL,
        "muted",
        "middle",
    )
    f.line([(left + 2 * width + 1.5 * gap, 210), (left + 2 * width + 1.5 * gap, 112)], "muted", 1.2, arrow=True)
    f.rect(20, 246, 520, 152, None, "green", 1.5, radius=6)
    f.text(34, 270, "step_000250/", 14, "green", mono=True)
    f.text(34, 296, "transformers, --model and 03_sampling read", SMALL, "muted")
    for k, name in enumerate(("config.json", "model.safetensors", "tokenizer")):
        f.box((34, 136, 290)[k], 304, (94, 146, 84)[k], 28, name, "blue", 12, mono=True)
    f.text(34, 356, "only --resume reads:", SMALL, "muted")
    f.box(182, 340, 176, 28, "optimizer.safetensors", "orange", 12, mono=True)
    f.text(366, 359, "m and v", SMALL, "muted")
    f.box(430, 340, 96, 28, "state.json", "orange", 12, mono=True)
    f.text(526, 384, "step, place in the data, settings, digests", SMALL, "muted", "end")
    return f


@figure(
    "13_addition",
    "Learning to add: plateaus and drops",
    """Losses over 3000 steps on sums of three-digit numbers. With the sum's digits reversed the loss stays for 900 steps
    where three digits are guesses, then falls within 800 steps, with a shoulder at one digit, to the floor of 1.063.
    With the usual order it falls early, waits for 500 steps near one guessed digit, and reaches the same floor.""",
)
def addition():
    f = Figure(366)
    data = read_columns("addition")
    axes = Axes(f, (52, 44, 488, 264), (0, 3000), (1.0, 1.7))
    levels = [n * math.log(10) / 13 for n in (6, 7, 8, 9)]
    axes.yticks(levels, [f"{level:.3f}" for level in levels], "loss; the lines: 6, 7, 8, 9 times ln 10 / 13")
    axes.xticks([0, 500, 1000, 1500, 2000, 2500, 3000], title="step")
    names = (
        "the six random digits remain: the floor",
        "1 digit of the sum guessed",
        "2 digits guessed",
        "3 digits guessed",
    )
    for name, level in zip(names, levels):
        f.text(540, axes.y(level) + (16 if level < 1.1 else -7), name, SMALL, "muted", "end")
    for name, color in (("usual", "orange"), ("reversed", "blue")):
        shown = [(x, y) for x, y in zip(data["step"], data[name]) if y < 1.7]
        axes.curve([x for x, _ in shown], [y for _, y in shown], color, 2.4)
    f.lines(axes.x(1150), axes.y(1.535), ["reversed:", "632+947=9751"], color="blue", bold=True)
    f.lines(axes.x(100), axes.y(1.185), ["usual:", "632+947=1579"], color="orange", bold=True)
    return f
