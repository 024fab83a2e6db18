"""Chapters 05 and 06: formats of numbers, and which tensor has which."""

import math

from registry import figure
from style import SMALL, Figure


@figure(
    "05_formats",
    "Four formats, bit by bit",
    """Four rows of bits. float32 has 1 sign, 8 exponent and 23 mantissa bits. TF32 keeps the first 10 mantissa bits and
    ignores 13. float16 has 5 exponent and 10 mantissa bits, bfloat16 8 and 7: it is the upper half of a float32.""",
)
def formats():
    f = Figure(306)
    left, bit, height = 92, 14, 32
    rows = (("float32", 8, 23, 0), ("TF32", 8, 10, 13), ("float16", 5, 10, 0), ("bfloat16", 8, 7, 0))
    for i, (name, exponent, mantissa, ignored) in enumerate(rows):
        y = 52 + i * 54
        f.text(left - 10, y + 21, name, 14, "ink", "end", bold=True)
        x = left
        for count, color in ((1, "purple"), (exponent, "orange"), (mantissa, "blue")):
            for _ in range(count):
                f.rect(x, y, bit - 1.5, height, color + "-soft", color, 1.2, radius=2)
                x += bit
        if ignored:
            f.rect(x, y, ignored * bit - 1.5, height, None, "muted", 1.2, radius=2, dash="4 4")
            f.text(x + ignored * bit / 2, y + 21, "stored, not used", SMALL, "muted", "middle")
        facts = {"float16": "up to 65504, 3 digits", "bfloat16": "up to 3.4e38, 2 digits"}
        if name in facts:
            f.text(x + 16, y + 21, facts[name], SMALL, "muted")
    f.text(left, 34, "sign", SMALL, "purple", bold=True)
    f.text(left + 40, 34, "exponent: the range", SMALL, "orange", bold=True)
    f.text(left + 200, 34, "mantissa: the digits", SMALL, "blue", bold=True)
    f.line([(left + 16 * bit - 0.8, 46), (left + 16 * bit - 0.8, 266)], "ink", 1.5, dash="3 4")
    f.text(left + 16 * bit + 6, 282, "bfloat16 is the upper half of a float32", SMALL, "ink", "middle")
    return f


@figure(
    "06_range",
    "What fits into which range",
    """A logarithmic axis from 1e-46 to 1e40. float32 and bfloat16 reach from 1e-38 to 3e38. float16 reaches from 6e-5
    to 65504, with subnormals down to 6e-8. The gradient of an untrained model's logits, 1.2e-9, lies outside of
    float16.""",
)
def value_range():
    f = Figure(300)
    left, width, low, high = 92, 448, -46, 40

    def x(exponent):
        return left + width * (exponent - low) / (high - low)

    bottom = 224
    for exponent in range(-40, 41, 20):
        f.line([(x(exponent), 66), (x(exponent), bottom)], "faint", 1)
        f.text(x(exponent), bottom + 18, f"1e{exponent}" if exponent else "1", SMALL, "muted", "middle")
    rows = (
        ("float32", math.log10(1.18e-38), math.log10(3.4e38), math.log10(1.4e-45), "blue"),
        ("bfloat16", math.log10(1.18e-38), math.log10(3.4e38), math.log10(9.2e-41), "green"),
        ("float16", math.log10(6.1e-5), math.log10(65504), math.log10(6e-8), "orange"),
    )
    for i, (name, smallest, largest, subnormal, color) in enumerate(rows):
        y = 80 + i * 48
        f.text(left - 10, y + 20, name, 14, color, "end", bold=True)
        f.rect(x(subnormal), y, x(smallest) - x(subnormal), 30, color + "-soft", color, 1.2, radius=2)
        f.rect(x(smallest), y, x(largest) - x(smallest), 30, color, radius=2)
    gradient = math.log10(1.2e-9)
    f.line([(x(gradient), 46), (x(gradient), bottom)], "red", 2.2, dash="6 4")
    f.text(x(gradient) + 6, 34, "1.2e-9: gradient of a logit, untrained GPT-2", SMALL, "red", "middle", bold=True)
    f.line([(x(gradient) - 4, 202), (x(gradient) - 50, 202)], "red", 1.5, arrow=True)
    f.text(x(gradient) - 56, 206, "0 in float16", SMALL, "red", "end")
    f.text(540, 278, "pale: subnormal numbers, which lose digits", SMALL, "muted", "end")
    return f


@figure(
    "06_autocast",
    "Which tensor has which type",
    """The first half of a block. The residual stream is float32 and passes straight down. ln_1 computes in float32,
    then the branch is bf16 through c_attn, attention and c_proj, except for the softmax. Weights are float32;
    one rounded copy for each step feeds the products.""",
)
def autocast():
    f = Figure(432)
    trunk, lane = 64, 210
    f.line([(trunk, 34), (trunk, 352)], "blue", 4)
    f.line([(trunk, 372), (trunk, 416)], "blue", 4, arrow=True)
    f.text(trunk, 26, "x", bold=True, anchor="middle")
    f.text(24, 200, "residual stream", SMALL, "blue", "middle", turn=-90)
    f.line([(trunk, 58), (lane - 2, 58)], "blue", 2.5, arrow=True)
    boxes = (("ln_1", 40, "blue"), ("c_attn", 118, "orange"), ("softmax", 196, "blue"), ("c_proj", 274, "orange"))
    for name, y, color in boxes:
        f.box(lane, y, 110, 38, name, color, 14, mono=True)
    for y, text in ((78, "rounded"), (156, "scores widened"), (234, "rounded")):
        f.line([(lane + 55, y), (lane + 55, y + 38)], "orange", 2.5, arrow=True)
        f.text(lane + 45, y + 23, text, SMALL, "muted", "end")
    f.line([(lane + 55, 312), (lane + 55, 362), (trunk + 11, 362)], "orange", 2.5, arrow=True)
    f.plus(trunk, 362)
    f.text(trunk + 18, 350, "bf16 + float32 = float32", SMALL, "muted")
    f.rect(424, 112, 116, 206, "blue-soft", "blue")
    f.text(482, 148, "weights", 14, "ink", "middle", bold=True)
    f.text(482, 168, "float32", SMALL, "blue", "middle")
    f.text(482, 208, "gradients", 14, "ink", "middle", bold=True)
    f.text(482, 228, "float32", SMALL, "blue", "middle")
    f.text(482, 268, "m and v", 14, "ink", "middle", bold=True)
    f.text(482, 288, "float32", SMALL, "blue", "middle")
    for y in (137, 293):
        f.line([(422, y), (lane + 112, y)], "orange", 2.5, arrow=True)
        f.text(372, y - 9, "rounded copy", SMALL, "muted", "middle")
    f.text(482, 340, "one copy a step", SMALL, "muted", "middle")
    f.line([(352, 398), (384, 398)], "blue", 4)
    f.text(392, 403, "float32", SMALL, "blue", bold=True)
    f.line([(462, 398), (494, 398)], "orange", 4)
    f.text(502, 403, "bf16", SMALL, "orange", bold=True)
    return f
