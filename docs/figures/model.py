"""Chapters 01 and 02: the model, its parameters, and the file they come from."""

from chart import DATA, Axes, read_columns
from registry import figure
from style import BODY, SMALL, Figure


@figure(
    "01_block",
    "A transformer block",
    """A vertical line, the residual stream, runs from top to bottom. Two branches leave it. The first goes through ln_1
    and attention, the second through ln_2 and the MLP; each is added back to the line. Every edge carries a
    tensor of shape (B, T, C).""",
)
def block():
    f = Figure(478)
    trunk = 92
    f.text(trunk, 28, "x", bold=True, anchor="middle")
    f.text(trunk + 14, 28, "(B, T, C)", SMALL, "muted")
    f.text(36, 250, "residual stream", color="blue", anchor="middle", turn=-90)
    for top, norm, layer, inside, role in (
        (60, "ln_1", "attention", "c_attn → heads → c_proj", "tokens exchange information"),
        (256, "ln_2", "MLP", "c_fc → GELU → c_proj", "each token is processed by itself"),
    ):
        middle, join = top + 32, top + 136
        f.line([(trunk, middle), (178, middle)], "ink", 1.8, arrow=True)
        f.box(180, middle - 21, 72, 42, norm, "purple", mono=True, size=14)
        f.line([(252, middle), (316, middle)], "ink", 1.8, arrow=True)
        f.text(282, middle - 9, "(B, T, C)", 11.5, "muted", "middle")
        color = "orange" if norm == "ln_1" else "green"
        f.rect(318, middle - 34, 222, 68, color + "-soft", color)
        f.text(429, middle - 6, layer, bold=True, anchor="middle")
        f.text(429, middle + 17, inside, SMALL, "ink", "middle")
        f.line([(429, middle + 34), (429, join), (trunk + 11, join)], "ink", 1.8, arrow=True)
        f.text(418, join - 10, "the update, (B, T, C)", SMALL, "muted", "end")
        f.text(429, join + 20, role, SMALL, color, "middle", italic=True)
    f.line([(trunk, 38), (trunk, 186)], "blue", 4)
    f.line([(trunk, 206), (trunk, 382)], "blue", 4)
    f.line([(trunk, 402), (trunk, 452)], "blue", 4, arrow=True)
    f.plus(trunk, 196)
    f.plus(trunk, 392)
    f.text(trunk + 14, 448, "x for the next block, (B, T, C)", SMALL, "muted")
    return f


def _matrix(f, x, y, rows, columns, cell, color, width=1.2):
    fill = "panel" if color == "muted" else color + "-soft"
    f.rect(x, y, columns * cell[0], rows * cell[1], fill, color, width, radius=2)
    for i in range(1, rows):
        f.line([(x, y + i * cell[1]), (x + columns * cell[0], y + i * cell[1])], color, 0.6)


# Made up, one row for each query.
_WEIGHTS = (
    (1.0,),
    (0.35, 0.65),
    (0.15, 0.25, 0.6),
    (0.45, 0.1, 0.15, 0.3),
    (0.08, 0.52, 0.05, 0.1, 0.25),
    (0.1, 0.2, 0.3, 0.1, 0.1, 0.2),
)


def _queries_keys_values(f, top, bottom, cell):
    _matrix(f, 14, top, 6, 1, (50, cell), "muted")
    f.text(39, top - 12, "x", bold=True, anchor="middle")
    f.text(39, bottom + 20, "T x C", SMALL, "muted", "middle")
    for k, (name, color) in enumerate((("q", "blue"), ("k", "orange"), ("v", "green"))):
        y = 22 + k * 92
        _matrix(f, 150, y, 6, 1, (40, 12), color)
        f.text(196, y + 42, name, color=color, bold=True)
        f.line([(66, 144), (147, y + 36)], "muted", 1.5, arrow=True)
    f.text(96, 256, "c_attn", SMALL, "ink", "middle", mono=True)
    f.text(170, 298, "T x hs each", SMALL, "muted", "middle")


def _scores(f, left, top, bottom, cell):
    f.line([(212, 62), (left - 10, 112)], "blue", 1.5, arrow=True)
    f.line([(212, 149), (left - 10, 149)], "orange", 1.5, arrow=True)
    for i in range(6):
        for j in range(6):
            x, y = left + j * cell, top + i * cell
            if j > i:
                f.rect(x + 1, y + 1, cell - 2, cell - 2, "panel", radius=2)
            else:
                f.rect(x + 1, y + 1, cell - 2, cell - 2, "purple-soft", radius=2)
                side = (cell - 6) * _WEIGHTS[i][j] ** 0.5
                f.rect(x + cell / 2 - side / 2, y + cell / 2 - side / 2, side, side, "purple", radius=1)
    f.rect(left - 3, top + 4 * cell - 2, 6 * cell + 6, cell + 4, None, "ink", 2)
    f.text(left + 6 * cell / 2, top - 12, "softmax(mask(q kᵀ / √hs))", SMALL, "ink", "middle")
    f.text(left + 6 * cell / 2, bottom + 20, "T x T", SMALL, "muted", "middle")
    f.text(left + 4.4 * cell, top + 1.2 * cell, "masked", SMALL, "muted", "middle")


def _output(f, left, top, bottom, cell):
    _matrix(f, 480, top, 6, 1, (46, cell), "green")
    f.rect(477, top + 4 * cell - 2, 52, cell + 4, None, "ink", 2)
    f.text(503, top - 12, "y", bold=True, anchor="middle")
    f.text(503, bottom + 20, "T x hs", SMALL, "muted", "middle")
    f.line([(left + 6 * cell + 6, 184), (474, 184)], "ink", 1.8, arrow=True)
    f.text(444, 174, "· v", BODY, "green", "middle", bold=True)
    f.line([(212, 256), (447, 256), (447, 190)], "green", 1.5, arrow=True)


def _one_row(f):
    base, width = 392, 44
    f.text(14, 340, "row 4:", SMALL, "ink", bold=True)
    f.text(14, 359, "weights of", SMALL, "muted")
    f.text(14, 376, "tokens 0 to 4", SMALL, "muted")
    for j, w in enumerate(_WEIGHTS[4]):
        x = 130 + j * (width + 8)
        f.rect(x, base - 76 * w - 2, width, 76 * w + 2, "purple", radius=2)
        f.text(x + width / 2, base - 76 * w - 8, f"{w:.2f}", SMALL, "ink", "middle")
        f.text(x + width / 2, base + 18, str(j), SMALL, "muted", "middle")
    f.rect(130 + 5 * (width + 8), base - 2, width, 2, "faint", radius=0)
    f.text(130 + 5 * (width + 8) + width / 2, base + 18, "5", SMALL, "muted", "middle")
    f.text(452, 362, "sum 1, and 0", SMALL, "muted")
    f.text(452, 380, "for the future", SMALL, "muted")


@figure(
    "01_attention",
    "One head of attention",
    """c_attn maps x to queries, keys and values, one row per token. Queries times keys give a T x T matrix of which
    only the lower triangle is kept. A softmax turns each row into weights that sum to 1. Row 4 of the weights
    times the values is row 4 of the result y.""",
)
def attention():
    f = Figure(430)
    left, top, bottom, cell = 262, 66, 66 + 6 * 26, 26
    _queries_keys_values(f, top, bottom, cell)
    _scores(f, left, top, bottom, cell)
    _output(f, left, top, bottom, cell)
    _one_row(f)
    return f


@figure(
    "01_strides",
    "Heads are strides into one buffer",
    """Three rows of one buffer, one row per token. Each row holds q, k and v side by side, and each of these holds its
    heads side by side. Head 1 of the queries is one short piece in each row; the distance from one row to the
    next is 3C numbers.""",
)
def strides():
    f = Figure(322)
    left, unit, rows, height = 20, 14.4, 3, 40
    f.text(left, 26, "c_attn(x): one sequence, C = 12, three heads of hs = 4", SMALL, "muted")
    for part, (name, color) in enumerate((("q", "blue"), ("k", "orange"), ("v", "green"))):
        x = left + part * 12 * unit
        f.text(x + 6 * unit, 56, name, color=color, bold=True, anchor="middle")
        for row in range(rows):
            for head in range(3):
                chosen = name == "q" and head == 1
                y = 68 + row * (height + 10)
                f.rect(x + head * 4 * unit, y, 4 * unit, height, color + ("" if chosen else "-soft"), "ground", 2)
                f.text(
                    x + (head * 4 + 2) * unit, y + 25, f"head {head}", SMALL, "ground" if chosen else color, "middle"
                )
    for row in range(rows):
        f.text(left + 36 * unit + 4, 93 + row * (height + 10), f"{row}", SMALL, "muted")
    y = 68 + rows * (height + 10)
    f.bracket(left + 4 * unit, left + 8 * unit, y, "blue")
    f.text(left + 6 * unit, y + 24, "hs", SMALL, "blue", "middle")
    f.bracket(left, left + 12 * unit, y + 34)
    f.text(left + 6 * unit, y + 58, "C", SMALL, "muted", "middle")
    f.bracket(left + 12 * unit, left + 36 * unit, y + 34, "faint")
    f.bracket(left, left + 36 * unit, y + 66)
    f.text(left + 18 * unit, y + 90, "3C numbers from one row to the next", SMALL, "muted", "middle")
    f.text(left + 13 * unit, y + 24, "head 1 of q: start at hs, stride (3C, 1)", SMALL, "blue")
    return f


@figure(
    "01_parameters",
    "Where 124 million parameters are",
    """A bar of 124.4 million parameters: 38.6 million token embeddings, 0.8 million position embeddings, and twelve
    equal blocks of 7.1 million. One block is enlarged: a third of it is attention, two thirds are the MLP. A
    second bar shows the 38.6 million of an untied lm_head.""",
)
def parameters():
    f = Figure(296)
    left, scale = 20, 520 / 163.037
    x = left
    y = 44
    f.box(x, y, 38.597 * scale, 46, ["wte", "38.6 M"], "blue", SMALL)
    x += 38.597 * scale
    f.rect(x, y, 0.786 * scale, 46, "orange", radius=0)
    f.text(x + 3, y - 8, "wpe 0.8 M", SMALL, "orange", "end")
    x += 0.786 * scale
    first = x
    for i in range(12):
        f.rect(x + 0.7, y, 7.088 * scale - 1.4, 46, "green-soft", "green", 1.2, radius=2)
        f.text(x + 3.544 * scale, y + 28, str(i), 12, "ink", "middle")
        x += 7.088 * scale
    f.text((first + x) / 2, 36, "12 blocks, 85.1 M", SMALL, "green", "middle")
    f.rect(x + 1, y, 38.597 * scale - 1, 46, None, "blue", 1.5, dash="4 4")
    f.text(x + 19.3 * scale, y + 20, "lm_head", SMALL, "muted", "middle")
    f.text(x + 19.3 * scale, y + 37, "until tied", SMALL, "muted", "middle")

    f.line([(first + 1, y + 46), (left, 176)], "faint", 1.2)
    f.line([(first + 7.088 * scale, y + 46), (540, 176)], "faint", 1.2)
    f.text(280, 168, "one block, 7.1 M", SMALL, "green", "middle")
    total, x = 7.0848, left
    names = (("c_attn", 1.7718, "purple"), ("c_proj", 0.5906, "purple"), ("c_fc", 2.3624, "green"))
    for name, size, color in (*names, ("c_proj", 2.3601, "green")):
        w = size / total * 520
        f.box(x, 178, w - 2, 46, [name, f"{size:.2f}"], color, 12)
        x += w
    f.bracket(left, left + 2.3624 / total * 520 - 2, 232, "purple")
    f.text(left + 1.18 / total * 520, 256, "attention", SMALL, "purple", "middle")
    f.bracket(left + 2.3624 / total * 520, 538, 232, "green")
    f.text(left + 4.72 / total * 520, 256, "MLP", SMALL, "green", "middle")
    f.text(280, 282, "the two LayerNorms, 0.003 M, would be thinner than a line", SMALL, "muted", "middle")
    return f


@figure(
    "02_wpe",
    "Learned position embeddings",
    """Left, the position embeddings of data/tales-gpt2 as a grey picture, 256 positions by 128 channels, with vertical
    stripes. Right, three of its columns as jagged curves over the position: one falls all the way, two fall to the
    middle and rise again.""",
)
def wpe():
    f = Figure(330)
    f.text(20, 26, "wpe, 256 x 128", SMALL, "muted")
    f.image(20, 40, 176, 256, (DATA / "wpe.png.base64").read_text().strip())
    f.rect(20, 40, 176, 256, None, "faint", 1, radius=0)
    f.text(20, 316, "channel", SMALL, "muted")
    f.line([(80, 312), (196, 312)], "muted", 1, arrow=True)
    data = read_columns("wpe")
    axes = Axes(f, (258, 40, 286, 238), (0, 256), (-0.32, 0.4))
    axes.yticks([-0.2, 0, 0.2, 0.4])
    axes.xticks([0, 64, 128, 192, 255], title="position")
    names = [n for n in data if n != "position"]
    for name, color in zip(names, ("blue", "orange", "green")):
        axes.curve(data["position"], data[name], color)
    for i, (name, color) in enumerate(zip(names, ("blue", "orange", "green"))):
        f.text(262 + i * 100, 26, f"channel {name}", SMALL, color, bold=True)
    return f


@figure(
    "02_safetensors",
    "A safetensors file",
    """A file as a bar: eight bytes with the length of the header, the header, then the values of all tensors. The
    header is JSON; its data_offsets point at the begin and the end of a tensor's values.""",
)
def safetensors():
    f = Figure(254)
    f.text(20, 24, "one entry of the header", SMALL, "blue")
    f.rect(20, 34, 520, 78, "panel", radius=6)
    f.text(34, 57, '"transformer.wpe.weight": {"dtype": "F32",', SMALL, mono=True)
    f.text(66, 79, '"shape": [256, 128],', SMALL, mono=True)
    f.text(66, 101, '"data_offsets": [131584, 262656]}', SMALL, mono=True)
    top, height = 160, 48
    f.box(20, top, 66, height, ["8 bytes"], "orange", SMALL)
    f.box(86, top, 104, height, ["header,", "5040 bytes"], "blue", SMALL)
    for x, w, name in ((190, 96, "wte"), (286, 76, "wpe"), (362, 44, "ln_1"), (406, 66, "c_attn"), (472, 68, "...")):
        f.box(x, top, w, height, name, "green", SMALL)
    f.line([(120, 112), (120, top - 2)], "blue", 1.5, dash="3 4")
    f.curve((224, 108), (224, 136), (286, 128), (286, top - 2), "green", 1.8)
    f.curve((288, 108), (288, 134), (362, 126), (362, top - 2), "green", 1.8)
    f.curve((53, top + height), (53, top + 74), (184, top + 74), (189, top + height + 3), "orange", 1.8)
    f.text(20, top + 82, "the header's length", SMALL, "orange")
    f.text(256, top + 82, "the values; data_offsets count from here", SMALL, "muted")
    f.line([(250, top + 76), (196, top + height + 5)], "muted", 1.5, arrow=True)
    return f
