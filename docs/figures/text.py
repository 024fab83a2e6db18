"""Chapter 03: tokens and sampling."""

import csv
import math

from chart import DATA, Axes
from registry import figure
from style import SMALL, Figure


def _rows(name):
    with open(DATA / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@figure(
    "03_merges",
    "Byte-pair encoding of one word",
    """The word indivisible as eleven single letters, and below it one row per merge. Each merge joins the two
    neighbours whose pair comes first in GPT-2's list. Three pieces remain: ind, iv and isible.""",
)
def merges():
    rows = _rows("merges")
    letter, height, left = 30, 26, 176
    f = Figure(72 + len(rows) * (height + 8))
    f.text(20, 34, "merge number", SMALL, "muted")
    f.text(left, 34, "pieces", SMALL, "muted")
    before = []
    for i, row in enumerate(rows):
        y, x, pieces = 46 + i * (height + 8), left, row["pieces"].split()
        last = i == len(rows) - 1
        if row["rank"]:
            f.text(128, y + 18, f"{int(row['rank']) + 1:,}", color="ink", anchor="end")
        for piece in pieces:
            new = i > 0 and (x, piece) not in before
            color = "orange" if new else "blue" if last else "panel"
            w = letter * len(piece) - 3
            f.rect(
                x, y, w, height, color if color == "panel" else color + "-soft", "muted" if color == "panel" else color
            )
            f.text(x + w / 2, y + 18, piece, 14, mono=True, anchor="middle", bold=new)
            x += letter * len(piece)
        before, x = [], left
        for piece in pieces:
            before.append((x, piece))
            x += letter * len(piece)
    x, y = left, 46 + len(rows) * (height + 8) + 10
    for piece, number in zip(rows[-1]["pieces"].split(), ("521", "452", "12843")):
        f.text(x + letter * len(piece) / 2 - 1.5, y, number, SMALL, "blue", "middle", bold=True)
        x += letter * len(piece)
    f.text(20, y, "token ids", SMALL, "blue")
    return f


def _softmax(logits, temperature=1.0):
    scaled = [math.exp((z - max(logits)) / temperature) for z in logits]
    return [p / sum(scaled) for p in scaled]


def _keep(probabilities, count):
    kept = probabilities[:count]
    return [p / sum(kept) for p in kept] + [0.0] * (len(probabilities) - count)


@figure(
    "03_sampling",
    "Temperature, top-k and top-p",
    """Six bar charts of the next byte's probability after the prompt There once was a. Temperature 0.5 makes the likely
    bytes likelier, temperature 2 flattens the bars. Top-k 3 keeps three bars, top-p 0.9 keeps five; the bars
    that are left grow until they sum to 1.""",
)
def sampling():
    rows = _rows("next_byte")
    logits, shown = [float(row["logit"]) for row in rows], 12
    plain = _softmax(logits)
    top_p = next(n for n in range(1, 20) if sum(plain[:n]) >= 0.9)
    panels = (
        ("temperature 0.5", _softmax(logits, 0.5), "orange"),
        ("temperature 1", plain, "blue"),
        ("temperature 2", _softmax(logits, 2), "orange"),
        ("top-k 3", _keep(plain, 3), "green"),
        ("top-p 0.9", _keep(plain, top_p), "green"),
        ("temperature 2, then top-k 5", _keep(_softmax(logits, 2), 5), "purple"),
    )
    f = Figure(476)
    f.text(20, 24, "the next byte after “There once was a ”", SMALL, "muted")
    for i, (name, probabilities, color) in enumerate(panels):
        left, top = 44 + (i // 3) * 278, 66 + (i % 3) * 140
        axes = Axes(f, (left, top, 232, 82), (0, shown), (0, 0.85))
        axes.yticks([0, 0.4, 0.8])
        f.text(left, top - 12, name, 14, color, bold=True)
        for j, p in enumerate(probabilities[:shown]):
            x, y, bottom = axes.x(j + 0.12), axes.y(p), top + 82
            before = axes.y(plain[j])
            if p > 0:
                f.rect(x, y, axes.x(j + 0.88) - x, bottom - y, color, radius=1)
            if name != "temperature 1":
                f.line([(x - 1, before), (axes.x(j + 0.88) + 1, before)], "ink", 1.4)
            f.text(
                axes.x(j + 0.5), bottom + 16, rows[j]["byte"], SMALL, "ink" if p > 0 else "muted", "middle", mono=True
            )
    f.text(540, 24, "black lines: temperature 1", SMALL, "muted", "end")
    return f
