"""The whole: the video and its chapters, the library's layers, the executor, the gains."""

import json

from chart import DATA
from registry import figure
from style import SMALL, Figure


@figure(
    "layers",
    "The layers of the code",
    """Five layers from top to bottom: the steps; nn, optim, data, text, eval and dist; ops; kernels for CPU and GPU;
    tensor. Arrows point down only. Beside each layer stands what it knows.""",
)
def layers():
    f = Figure(420)
    width, height, left = 330, 52, 20
    rows = (
        (["steps/04_overfit"], "purple", "reads like the video's Python"),
        (["nn", "optim", "data", "text", "eval", "dist"], "blue", "what a step is written with"),
        (["ops"], "orange", "forward, backward, a record"),
        (["kernels/cpu", "kernels/cuda"], "green", "pointers, sizes, a stream"),
        (["tensor"], "panel", "shape, dtype, memory"),
    )
    for i, (names, color, note) in enumerate(rows):
        y = 22 + i * 78
        w = (width - 6 * (len(names) - 1)) / len(names)
        for k, name in enumerate(names):
            f.box(left + k * (w + 6), y, w, height, name, color, SMALL if len(names) > 2 else 14, mono=True)
        f.text(left + width + 16, y + 31, note, SMALL, "muted")
        if i < 4:
            f.line([(left + width / 2, y + height + 3), (left + width / 2, y + 75)], "ink", 2, arrow=True)
    f.text(280, 406, "an arrow means: may call; none points up", SMALL, "muted", "middle")
    return f


@figure(
    "executor",
    "How the executor runs a block",
    """Eight lanes of two warps as horizontal lines over time. One fiber runs at a time: first each lane of warp 0 up to
    the barrier, then each lane of warp 1. When the last lane has arrived, the barrier opens and the lanes run on
    in the same order.""",
)
def executor():
    f = Figure(386)
    left, top, row, step = 112, 62, 30, 24
    f.text(20, 28, "one block: its threads are fibers on one CPU thread", bold=True, size=14)
    barrier = left + 8 * step + 4
    for lane in range(8):
        warp, color = lane // 4, ("blue", "orange")[lane // 4]
        y = top + lane * row + (10 if warp else 0)
        f.text(left - 14, y + 14, f"lane {lane % 4}", SMALL, "muted", "end")
        first, second = left + lane * step, barrier + 12 + lane * step
        f.line([(left, y + 10), (left + 17 * step + 4, y + 10)], "faint", 1)
        f.rect(first, y, step - 3, 20, color, radius=3)
        f.line([(first + step, y + 10), (barrier - 3, y + 10)], color, 1.5, dash="2 4")
        f.rect(second, y, step - 3, 20, color, radius=3)
    for warp, color in ((0, "blue"), (1, "orange")):
        y = top + warp * (4 * row + 10)
        f.text(30, y + 2 * row, f"warp {warp}", SMALL, color, "middle", bold=True, turn=-90)
    bottom = top + 8 * row + 10
    f.line([(barrier + 4, top - 8), (barrier + 4, bottom + 4)], "red", 2.5)
    f.text(barrier + 4, bottom + 22, "__syncthreads()", SMALL, "red", "middle", mono=True)
    f.text(left, bottom + 22, "time →", SMALL, "muted")
    f.text(
        20,
        bottom + 52,
        "solid: runs · dotted: waits. Without the barrier, lane 0 of warp 0 would read",
        SMALL,
        "muted",
    )
    f.text(20, bottom + 70, "what warp 1 has not written yet, and the test would see it.", SMALL, "muted")
    return f


@figure(
    "ladder",
    "Milliseconds a step, from chapter to chapter",
    """Two columns of bars. The video's GPU goes from 1000 milliseconds a step in chapter 04 to 333, 300, 130, 96 and 93
    in chapter 09. Our CPU goes from about 2200 to about 1200, most of it when the products become bf16 in
    chapter 06.""",
)
def ladder():
    f = Figure(388)
    table = json.loads((DATA.parents[1] / "timing/amd_epyc_2_cores/table.json").read_text(encoding="utf-8"))
    rows = [row for row in table["rows"] if row["key"] in ("04", "05", "06", "07", "08", "09")]
    names = ("float32", "TF32", "bf16", "fusion", "flash", "vocabulary")
    for left, title, note, key, color in (
        (108, "the video, A100", "B = 16, T = 1024", "video_ms", "blue"),
        (344, "ours, two CPU cores", "B = 4, T = 256", "ms", "green"),
    ):
        f.text(left, 26, title, 14, color, bold=True)
        f.text(left, 44, note, SMALL, "muted")
        f.line([(left, 56), (left, 344)], "muted", 1)
        most = max(row[key] for row in rows)
        for i, row in enumerate(rows):
            y, w = 62 + i * 47, 146 * row[key] / most
            f.rect(left, y, w, 34, color, radius=2)
            f.text(left + w + 7, y + 22, f"{row[key]:.0f} ms", SMALL, "ink", bold=True)
    for i, (row, name) in enumerate(zip(rows, names)):
        f.text(98, 62 + i * 47 + 15, row["key"], 14, "ink", "end", bold=True)
        f.text(98, 62 + i * 47 + 32, name, SMALL, "muted", "end")
    f.text(20, 374, "TF32 is for GPUs: on a CPU 05 computes what 04 does", SMALL, "muted")
    return f


@figure(
    "video",
    "The video and the chapters",
    """Four rows, one for each hour of the video, cut into coloured pieces: the chapters. The first hour holds 02, 01,
    02 again, 03 and the beginning of 04, the second 04 to 07, the third 08 to 11 and the beginning of 12, the
    fourth 12 and 13.""",
)
def video():
    f = Figure(286)
    left, width = 34, 510
    # minutes at which the part of a chapter begins
    parts = (
        ("02", 3.7), ("01", 13.8), ("02", 28.1), ("03", 33.5), ("04", 45.8), ("05", 82.3), ("06", 99.6), ("07", 108.3),
        ("08", 120.3), ("09", 126.9), ("10", 134.9), ("11", 154.2), ("12", 166.9), ("13", 190.4), ("", 236.4),
    )  # fmt: skip
    colors = ("blue", "orange", "green", "purple")
    for hour in range(4):
        y = 34 + hour * 54
        f.text(left - 8, y + 24, f"{hour}:", 14, "muted", "end")
        f.rect(left, y, width, 36, "panel", radius=4)
        for (name, begin), (_, end) in zip(parts, parts[1:]):
            a, b = max(begin, 60 * hour), min(end, 60 * hour + 60)
            if b - a > 0.5:
                x, w = left + (a - 60 * hour) / 60 * width, (b - a) / 60 * width
                color = colors[int(name) % 4]
                f.rect(x + 1, y, w - 2, 36, color + "-soft", color, 1.5, radius=3)
                f.text(x + w / 2, y + 23, name, 14, "ink", "middle", bold=True)
    for minute in (0, 15, 30, 45, 60):
        f.text(left + minute / 60 * width, 22, f"{minute}", SMALL, "muted", "end" if minute == 60 else "middle")
    f.text(left + width, 272, "across: minutes; down: hours", SMALL, "muted", "end")
    f.text(left, 272, "14 to 17 go on where the video ends", SMALL, "muted")
    return f
