"""Chapters 15 and 16: what rounding to nearest loses, and what a block keeps."""

from chart import Axes, read_columns
from registry import figure
from style import SMALL, Figure


@figure(
    "15_rounding",
    "Weights in bf16, rounded in three ways",
    """The loss over 400 steps with a learning rate of 1e-5. Rounded to nearest without master weights it falls much
    more slowly than rounded stochastically, and ends at 4.7 instead of 4.1. The curve with master weights coincides
    with the stochastic one.""",
)
def rounding():
    f = Figure(330)
    data = read_columns("rounding")
    axes = Axes(f, (44, 40, 496, 236), (0, 400), (4, 5.75))
    axes.yticks([4, 4.5, 5, 5.5], ["4.0", "4.5", "5.0", "5.5"], "loss")
    axes.xticks([0, 100, 200, 300, 400], title="step, with a constant learning rate of 1e-5")
    axes.curve(data["step"], data["masters"], "blue-soft", 9)
    axes.curve(data["step"], data["stochastic"], "blue", 2)
    axes.curve(data["step"], data["nearest"], "orange", 2.4)
    axes.label(396, 4.95, "to nearest, without masters", "orange", anchor="end", bold=True)
    axes.label(232, 4.2, "stochastically, without masters", "blue", anchor="end", bold=True)
    axes.label(232, 4.08, "wide and pale: with masters", "muted", anchor="end", size=SMALL)
    return f


# Of a block: (name, rows of C values, kept by which modes).
_ACTIVATIONS = (
    ("sum", 1, ("none", "gelu", "layernorm")),
    ("LN", 1, ("none", "gelu")),
    ("q, k, v", 3, ("none", "gelu", "layernorm")),
    ("att", 1, ("none", "gelu", "layernorm")),
    ("sum", 1, ("none", "gelu", "layernorm")),
    ("LN", 1, ("none", "gelu")),
    ("c_fc", 4, ("none", "gelu", "layernorm")),
    ("GELU", 4, ("none",)),
)


@figure(
    "16_kept",
    "What a block keeps for the backward pass",
    """Four rows, one for each mode. A block's activations are 16 times C values per token: sum 1, LayerNorm 1, q k v 3,
    attention 1, sum 1, LayerNorm 1, c_fc 4, GELU 4. none keeps 16, gelu 12, layernorm 10, and block 2, the block's
    two inputs.""",
)
def kept():
    f = Figure(322)
    left, cell, height = 104, 22, 34
    x = left
    for name, rows, _ in _ACTIVATIONS:
        if name in ("sum", "LN", "att"):
            f.text(x + cell / 2 + 4, 52, name, SMALL, "muted", turn=-45)
        else:
            f.text(x + rows * cell / 2, 52, name, SMALL, "muted", "middle")
        x += rows * cell
    for i, (mode, count) in enumerate((("none", 16), ("gelu", 12), ("layernorm", 10), ("block", 2))):
        y = 66 + i * 52
        f.text(left - 12, y + 22, mode, 14, "ink", "end", bold=True, mono=True)
        x = left
        for _, rows, modes in _ACTIVATIONS:
            for _ in range(rows):
                if mode in modes:
                    f.rect(x, y, cell - 2, height, "blue-soft", "blue", 1.3, radius=2)
                else:
                    f.rect(x, y, cell - 2, height, None, "muted", 1.2, radius=2, dash="4 3")
                x += cell
        if mode == "block":
            for k in range(2):
                f.rect(x + 10 + k * cell, y, cell - 2, height, "orange-soft", "orange", 1.3, radius=2)
            x += 2 * cell + 8
        f.text(x + 8, y + 22, str(count), 14, "orange" if mode == "block" else "blue", bold=True)
    f.rect(left, 280, 14, 14, "blue-soft", "blue", 1.3, radius=2)
    f.text(left + 22, 292, "kept", SMALL, "muted")
    f.rect(left + 76, 280, 14, 14, None, "muted", 1.2, radius=2, dash="4 3")
    f.text(left + 98, 292, "made again", SMALL, "muted")
    f.rect(left + 204, 280, 14, 14, "orange-soft", "orange", 1.3, radius=2)
    f.text(left + 226, 292, "x and update, the block's inputs", SMALL, "muted")
    return f


@figure(
    "16_memory",
    "Activations over time, kept and made again",
    """Memory of activations over the time of a step with six blocks. With none it rises with every block of the forward
    pass and falls with every block of the backward pass. With block it rises an eighth as fast; in the backward pass
    each block runs forward again, its activations rise and fall like a tooth, and the step takes longer.""",
)
def memory():
    f = Figure(344)
    left, base, unit, wide = 56, 268, 2, 20  # pixels per C values per token, and per forward pass of a block
    n = 6
    f.line([(left, base), (540, base)], "muted", 1)
    f.line([(left, 40), (left, base)], "muted", 1)
    f.text(12, 26, "activations of the blocks, in C values per token", SMALL, "muted")
    for rows in (16, 48, 96):
        f.line([(left - 4, base - rows * unit), (left, base - rows * unit)], "muted", 1)
        f.text(left - 8, base - rows * unit + 4.5, str(rows), SMALL, "muted", "end")
    kept = [(left, base)]
    for i in range(n):
        kept.append((left + (i + 1) * wide, base - (i + 1) * 16 * unit))
    for i in range(n):  # backward takes twice as long
        kept.append((left + n * wide + (i + 1) * 2 * wide, base - (n - i - 1) * 16 * unit))
    f.line(kept, "orange", 2.4)
    again = [(left, base)]
    for i in range(n):
        again.append((left + (i + 1) * wide, base - (2 * i + 16) * unit))
        again.append((left + (i + 1) * wide, base - (2 * i + 2) * unit))
    x = left + n * wide
    for i in range(n, 0, -1):
        again.append((x + wide, base - (2 * i + 16) * unit))
        x += 3 * wide
        again.append((x, base - 2 * (i - 1) * unit))
    f.line(again, "blue", 2.4)
    f.text(left + n * wide + 14, 84, "none: 16 for each block", 14, "orange", bold=True)
    f.text(538, 160, "block: 2 for each, and one tooth", 14, "blue", "end", bold=True)
    f.line([(left + n * wide, 46), (left + n * wide, base)], "muted", 1, dash="4 4")
    f.text(left + n * wide / 2, base + 22, "forward", SMALL, "muted", "middle")
    f.text(left + n * wide + 180, base + 22, "backward", SMALL, "muted", "middle")
    f.text(540, base + 44, "time →", SMALL, "muted", "end")
    return f
