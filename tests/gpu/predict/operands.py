"""The operands of SASS, as functions that read or write them for a Warp."""
import math
import operator
import re
import struct

MASK = 0xFFFFFFFF
BYTES = {"128": 16, "64": 8, "U16": 2, "S16": 2, "U8": 1, "S8": 1}
COMPARE = {"LT": operator.lt, "LE": operator.le, "GT": operator.gt, "GE": operator.ge, "EQ": operator.eq, "NE": operator.ne}
FUNCTIONS = {
    "RCP": lambda x: 1 / x,
    "EX2": lambda x: 2.0**x,
    "LG2": math.log2,
    "RSQ": lambda x: x**-0.5,
    "SQRT": math.sqrt,
    "TANH": math.tanh,
    "SIN": math.sin,
    "COS": math.cos,
}


def word_of(value):
    try:
        return struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        return 0x7F800000 if value > 0 else 0xFF800000


def float_of(word):
    return struct.unpack("<f", struct.pack("<I", word & MASK))[0]


def signed(word):
    return word - (1 << 32) if word >> 31 else word


def is_predicate(text):
    return re.fullmatch(r"!?U?P(\d|T)", text) is not None


def predicate(warp, text):
    negated, name = text.startswith("!"), text.lstrip("!")
    if name in ("PT", "UPT"):
        return lambda: not negated
    bits, index = (warp.UP, int(name[2:])) if name.startswith("U") else (warp.P, int(name[1:]))
    return lambda: bits[index] != negated


def predicate_writer(warp, name):
    if name in ("PT", "UPT"):
        return lambda value: None
    bits, index = (warp.UP, int(name[2:])) if name.startswith("U") else (warp.P, int(name[1:]))

    def put(value):
        bits[index] = bool(value)

    return put


def writer(warp, name, word=0):
    """Of a register, or of the one `word` behind it."""
    if name in ("RZ", "URZ"):
        return lambda value: None
    bank, index = (warp.UR, int(name[2:])) if name.startswith("U") else (warp.R, int(name[1:]))

    def put(value):
        bank[index + word] = value

    return put


def _plain(text):
    return re.sub(r"\.(reuse|F32|64|H0_H0|H1_H1|U32|S32)\b", "", text).strip()


def _sign(text):
    """"-|R3|" -> "-", "|R3|"; the sign of a number is part of it."""
    return (text[0], text[1:]) if text[:1] in "-~" and re.match(r"[-~]\|?(U?R|c\[)", text) else ("", text)


def _magnitude(warp, text, word):
    """Without sign: a register, a constant or a number."""
    if text in ("RZ", "URZ", "SRZ"):
        return lambda: 0
    if match := re.fullmatch(r"(U?)R(\d+)", text):
        bank, index = warp.UR if match[1] else warp.R, int(match[2]) + word
        return lambda: bank[index]
    if match := re.fullmatch(r"cx?\[(\w+)\]\[(.*)\]", text):
        return _constant(warp, match[1], match[2], word)
    value = _number(text)
    value = (value >> 32 * word if text.lstrip("-").startswith("0x") else value * (word == 0)) & MASK
    return lambda: value


def _constant(warp, bank, offset, word):
    if bank != "0x0":
        return lambda: 0  # tables of the compiler
    parts = [integer(warp, part) for part in offset.split("+")]
    return lambda: warp.constants.get(sum(p() for p in parts) + 4 * word, 0)


def _number(text):
    """Integers are written in base 16, floats in base 10."""
    if re.fullmatch(r"-?0x[0-9a-f]+", text):
        return int(text, 16)
    if "INF" in text or "NAN" in text:
        return (0x80000000 if text.startswith("-") else 0) | (0x7FC00000 if "NAN" in text else 0x7F800000)
    return word_of(float(text))


def addend(warp, text):
    """Not cut to 32 bits: the carry of x - 0 is that of x + 2^32."""
    sign, rest = _sign(_plain(text))
    value = _magnitude(warp, rest, 0)
    if sign == "-":
        return lambda: (~value() & MASK) + 1
    return (lambda: ~value() & MASK) if sign == "~" else value


def integer(warp, text, word=0):
    sign, rest = _sign(_plain(text))
    value = _magnitude(warp, rest, word)
    if sign == "-":
        return lambda: -value() & MASK
    return (lambda: ~value() & MASK) if sign == "~" else value


def real(warp, text):
    """A float, with -x and |x|."""
    sign, rest = _sign(_plain(text))
    value = _magnitude(warp, rest.strip("|"), 0)
    factor = -1.0 if sign == "-" else 1.0
    if rest.startswith("|"):
        return lambda: factor * abs(float_of(value()))
    return lambda: factor * float_of(value())


def word(warp, text):
    """The bits of an operand of FSEL or SEL, where -x changes the sign of a float."""
    sign, rest = _sign(_plain(text))
    value = _magnitude(warp, rest.strip("|"), 0)
    return (lambda: value() ^ 0x80000000) if sign == "-" else value


def address(warp, text):
    """[R2.64+0x10], desc[UR4][R2.64+0x10], [R2+UR4+0x10], [R2.X4]"""
    parts = []
    for part in text[text.rindex("[") + 1 : text.rindex("]")].split("+"):
        scale = int(match[1]) if (match := re.search(r"\.X(\d+)", part)) else 1
        low = integer(warp, re.sub(r"\.X\d+", "", part))
        high = integer(warp, part.replace(".64", ""), 1) if ".64" in part else lambda: 0
        parts.append((low, high, scale))
    is_wide = any(".64" in part for part in text.split("+"))
    mask = (1 << 64) - 1 if is_wide else MASK
    return lambda: sum((signed(low()) if is_wide and k else low() | high() << 32) * scale
                       for k, (low, high, scale) in enumerate(parts)) & mask
