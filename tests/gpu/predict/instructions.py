"""What each instruction of SASS does to a Warp: functions that prepare an instruction once and return what runs it."""
import math
import re
import struct

import operands as read
from operands import MASK, signed, word_of

OPERATIONS = {}
POINTER = 1 << 33  # from the memory of one argument to that of the next
_NO_EFFECT = "BAR BMOV BREAK BSSY BSYNC CCTL DEPBAR ENDCOLLECTIVE ERRBAR LDGDEPBAR MEMBAR NOP WARPSYNC YIELD".split()


class Unknown(Exception):
    pass


def operation(*opcodes):
    def register(function):
        OPERATIONS.update(dict.fromkeys(opcodes, function))
        return function

    return register


@operation("EXIT", *_NO_EFFECT)
def _nothing(warp, modifiers, operands):
    return lambda: None


@operation("BRA", "CALL")
def _branch(warp, modifiers, operands):
    if "DIV" in modifiers:  # where lanes have parted
        return lambda: None
    target = warp.target(operands[-1])
    if len(operands) == 1 or "CONV" in modifiers:  # CONV: where they have not
        return lambda: target
    taken = read.predicate(warp, operands[0])
    return lambda: target if taken() else None


@operation("RET")
def _return(warp, modifiers, operands):
    register = read.integer(warp, operands[0].split()[0])
    return lambda: warp.kernel.offsets[register()]


@operation("MOV", "UMOV", "R2UR", "SGXT")
def _move(warp, modifiers, operands):
    put, source = read.writer(warp, operands[0]), read.integer(warp, operands[1])
    return lambda: put(source())


@operation("P2R")
def _save_predicates(warp, modifiers, operands):
    put, mask = read.writer(warp, operands[0]), read.integer(warp, operands[3])
    shift = 8 * int(modifiers[0][1]) if modifiers else 0  # P2R.B1 packs into the second byte
    kept = read.integer(warp, operands[2])
    return lambda: put(kept() & ~(0xFF << shift) & MASK | (sum(p << k for k, p in enumerate(warp.P)) & mask()) << shift)


@operation("R2P")
def _restore_predicates(warp, modifiers, operands):
    source, mask = read.integer(warp, operands[1]), read.integer(warp, operands[2])
    shift = 8 * int(modifiers[0][1]) if modifiers else 0

    def step():
        for k in range(7):
            if mask() >> k & 1:
                warp.P[k] = bool(source() >> shift >> k & 1)

    return step


@operation("SHFL")
def _shuffle(warp, modifiers, operands):
    first = 1 if read.is_predicate(operands[0]) else 0
    put, source = read.writer(warp, operands[first]), read.integer(warp, operands[first + 1])
    return lambda: put(source())


def _carries(warp, operands):
    """Splits off the predicates behind the destination, which receive carries."""
    after = 1
    while read.is_predicate(operands[after]):
        after += 1
    return [read.predicate_writer(warp, p) for p in operands[1:after]], operands[after:]


def _carry_in(warp, modifiers, rest):
    return [read.predicate(warp, p) for p in rest if read.is_predicate(p)] if "X" in modifiers else []


@operation("IMAD", "UIMAD")
def _multiply_add(warp, modifiers, operands):
    outs, rest = _carries(warp, operands)
    carries, put = _carry_in(warp, modifiers, rest[3:]), read.writer(warp, operands[0])
    a, b, c = (read.integer(warp, o) for o in rest[:3])
    wide, high, is_signed = "WIDE" in modifiers, "HI" in modifiers, "U32" not in modifiers
    put_high = read.writer(warp, operands[0], 1) if wide else None
    c_high = read.integer(warp, rest[2], 1) if wide or high else None  # c is a pair of registers

    def step():
        x, y = (signed(a()), signed(b())) if is_signed and (wide or high) else (a(), b())
        if wide:
            total = x * y + (c() | c_high() << 32) + sum(p() for p in carries)
            put(total & MASK), put_high(total >> 32 & MASK)
            for out in outs:
                out(total >> 64 != 0)
            return
        total = (x * y + (c() | c_high() << 32) >> 32 if high else x * y + c()) + sum(p() for p in carries)
        put(total & MASK)
        for out in outs:
            out(total >> 32 != 0)

    return step


@operation("IADD3", "UIADD3", "VIADD", "UIADD")
def _add(warp, modifiers, operands):
    outs, rest = _carries(warp, operands)
    terms = [read.addend(warp, o) for o in rest if not read.is_predicate(o)]
    carries, put = _carry_in(warp, modifiers, rest), read.writer(warp, operands[0])

    def step():
        total = sum(t() for t in terms) + sum(p() for p in carries)
        put(total & MASK)
        for k, out in enumerate(outs):
            out(total >> 32 > k)

    return step


@operation("LEA", "ULEA")
def _shift_add(warp, modifiers, operands):
    outs, rest = _carries(warp, operands)
    put = read.writer(warp, operands[0])
    a, b = read.integer(warp, rest[0]), read.addend(warp, rest[1])
    from_high = "HI" in modifiers and "SX32" not in modifiers
    c = read.integer(warp, rest[2]) if from_high else None
    shift = read.integer(warp, rest[3] if from_high else rest[2])
    carries = _carry_in(warp, modifiers, rest[3:])

    def step():
        if "HI" in modifiers:
            high = c() if from_high else MASK if a() >> 31 else 0
            part = ((high << 32 | a()) << shift()) >> 32 & MASK
        else:
            part = a() << shift() & MASK
        total = part + b() + sum(p() for p in carries)
        put(total & MASK)
        for out in outs:
            out(total >> 32 != 0)

    return step


@operation("SHF", "USHF")
def _shift(warp, modifiers, operands):
    put = read.writer(warp, operands[0])
    low, amount, high = (read.integer(warp, o) for o in operands[1:4])
    left, of_high, is_signed = modifiers[0] == "L", "HI" in modifiers, bool({"S32", "S64"} & set(modifiers))

    def step():
        n, both = amount() & 63, high() << 32 | low()
        if left:
            result = both << n >> 32 if of_high else low() << n
        elif of_high:
            result = (signed(high()) if is_signed else high()) >> n
        else:
            result = both >> n
        put(result & MASK)

    return step


@operation("LOP3", "ULOP3")
def _logic(warp, modifiers, operands):
    out = None
    if read.is_predicate(operands[0]):
        out, operands = read.predicate_writer(warp, operands[0]), operands[1:]
    put = read.writer(warp, operands[0])
    a, b, c = (read.integer(warp, o) for o in operands[1:4])
    table = int(operands[4], 16)

    def step():
        x, y, z, result = a(), b(), c(), 0
        for k in range(8):
            if table >> k & 1:
                result |= (x if k & 4 else ~x) & (y if k & 2 else ~y) & (z if k & 1 else ~z)
        put(result & MASK)
        if out:
            out(result & MASK != 0)

    return step


@operation("PLOP3", "UPLOP3")
def _predicate_logic(warp, modifiers, operands):
    outs = [read.predicate_writer(warp, o) for o in operands[:2]]
    inputs, tables = [read.predicate(warp, o) for o in operands[2:5]], [int(o, 16) for o in operands[5:7]]

    def step():
        bits = sum(p() << 2 - k for k, p in enumerate(inputs))
        for out, table in zip(outs, tables):
            out(bool(table >> bits & 1))

    return step


@operation("ISETP", "UISETP")
def _compare(warp, modifiers, operands):
    put, put_not = read.predicate_writer(warp, operands[0]), read.predicate_writer(warp, operands[1])
    a, b, others = read.integer(warp, operands[2]), read.integer(warp, operands[3]), read.predicate(warp, operands[4])
    low = read.predicate(warp, operands[5]) if "EX" in modifiers else None
    compare, strict = modifiers[0], {"LE": "LT", "GE": "GT"}.get(modifiers[0], modifiers[0])

    def step():
        x, y = (a(), b()) if "U32" in modifiers else (signed(a()), signed(b()))
        if low and compare in ("EQ", "NE"):
            result = x == y and low() if compare == "EQ" else x != y or low()
        elif low:  # the lower words decide where the upper ones are equal
            result = read.COMPARE[strict](x, y) or (x == y and low())
        else:
            result = read.COMPARE[compare](x, y)
        put(_with(modifiers, result, others())), put_not(_with(modifiers, not result, others()))

    return step


def _with(modifiers, result, other):
    return result or other if "OR" in modifiers else result != other if "XOR" in modifiers else result and other


@operation("SEL", "USEL", "FSEL")
def _select(warp, modifiers, operands):
    put, which = read.writer(warp, operands[0]), read.predicate(warp, operands[3])
    a, b = read.word(warp, operands[1]), read.word(warp, operands[2])
    return lambda: put(a() if which() else b())


@operation("S2R", "S2UR", "CS2R")
def _special(warp, modifiers, operands):
    cta = dict(zip(("SR_CTAID.X", "SR_CTAID.Y", "SR_CTAID.Z"), warp.cta))
    value = {"SR_TID.X": warp.thread, "SR_LANEID": warp.thread % 32, **cta}.get(operands[1], 0)
    put, high = read.writer(warp, operands[0]), read.writer(warp, operands[0], 1)
    is_pair = operands[1] == "SRZ" and "32" not in modifiers  # CS2R R4, SRZ

    def step():
        put(value)
        if is_pair:
            high(0)

    return step


@operation("LDC", "ULDC", "LDCU")
def _load_constant(warp, modifiers, operands):
    words = 2 if "64" in modifiers else 1
    pairs = [(read.writer(warp, operands[0], w), read.integer(warp, operands[1], w)) for w in range(words)]

    def step():
        values = [(put, source()) for put, source in pairs]
        for put, value in values:
            put(value)

    return step


def _bytes(modifiers):
    return next((size for name, size in read.BYTES.items() if name in modifiers), 4)


@operation("LDG")
def _load_global(warp, modifiers, operands):
    size, address = _bytes(modifiers), read.address(warp, operands[1])
    puts = [read.writer(warp, operands[0], w) for w in range(max(1, size // 4))]

    def step():
        warp.loaded += size
        word = warp.fills.get(address() // POINTER, 0) & (1 << 8 * min(size, 4)) - 1
        for put in puts:
            put(word)

    return step


@operation("LDGSTS")
def _copy_to_shared(warp, modifiers, operands):
    size = _bytes(modifiers)

    def step():
        warp.loaded += size

    return step


@operation("LDS", "LDSM", "LDL")
def _load_shared(warp, modifiers, operands):
    size, address = 16 if "4" in modifiers else _bytes(modifiers), read.address(warp, operands[1])
    puts = [read.writer(warp, operands[0], w) for w in range(max(1, size // 4))]

    def step():
        at = address()
        values = [(put, warp.shared.get(at + 4 * w, 0)) for w, put in enumerate(puts)]
        for put, value in values:
            put(value)

    return step


@operation("STG")
def _store_global(warp, modifiers, operands):
    size = _bytes(modifiers)

    def step():
        warp.stored += size

    return step


@operation("STS", "STL")
def _store_shared(warp, modifiers, operands):
    size, address = _bytes(modifiers), read.address(warp, operands[0])
    sources = [read.integer(warp, operands[1], w) for w in range(max(1, size // 4))]

    def step():
        at = address()
        for w, source in enumerate(sources):
            warp.shared[at + 4 * w] = source()

    return step


@operation("FADD", "FFMA")
def _arithmetic(warp, modifiers, operands):
    put = read.writer(warp, operands[0])
    x = [read.real(warp, o) for o in operands[1:4] if not read.is_predicate(o)]
    if len(x) == 3:
        return lambda: put(word_of(x[0]() * x[1]() + x[2]()))
    return lambda: put(word_of(x[0]() + x[1]()))


@operation("FMUL")
def _multiply(warp, modifiers, operands):
    put, a, b = read.writer(warp, operands[0]), read.real(warp, operands[1]), read.real(warp, operands[2])
    return lambda: put(word_of(a() * b()))


@operation("FMNMX")
def _extreme(warp, modifiers, operands):
    put, least = read.writer(warp, operands[0]), read.predicate(warp, operands[3])
    a, b = read.real(warp, operands[1]), read.real(warp, operands[2])
    return lambda: put(word_of(min(a(), b()) if least() else max(a(), b())))


@operation("IABS")
def _integer_magnitude(warp, modifiers, operands):
    put, source = read.writer(warp, operands[0]), read.integer(warp, operands[1])
    return lambda: put(abs(signed(source())) & MASK)


@operation("IMNMX", "VIMNMX")
def _integer_extreme(warp, modifiers, operands):
    put, least = read.writer(warp, operands[0]), read.predicate(warp, operands[3])
    a, b = read.integer(warp, operands[1]), read.integer(warp, operands[2])
    key = (lambda x: x) if "U32" in modifiers else signed
    return lambda: put(min(a(), b(), key=key) if least() else max(a(), b(), key=key))


@operation("FSETP")
def _compare_real(warp, modifiers, operands):
    put, put_not = read.predicate_writer(warp, operands[0]), read.predicate_writer(warp, operands[1])
    a, b, others = read.real(warp, operands[2]), read.real(warp, operands[3]), read.predicate(warp, operands[4])
    compare, unordered = modifiers[0], modifiers[0].endswith("U") and len(modifiers[0]) == 3

    def step():
        x, y = a(), b()
        if math.isnan(x) or math.isnan(y):
            result = unordered or compare == "NAN"
        else:
            result = {"NUM": True, "NAN": False}.get(compare)
            if result is None:
                result = read.COMPARE[compare[:2]](x, y)
        put(_with(modifiers, result, others())), put_not(_with(modifiers, not result, others()))

    return step


@operation("FCHK")
def _needs_slow_division(warp, modifiers, operands):
    put = read.predicate_writer(warp, operands[0])
    return lambda: put(False)


@operation("MUFU")
def _special_function(warp, modifiers, operands):
    function = read.FUNCTIONS[modifiers[0]]
    put, x = read.writer(warp, operands[0]), read.real(warp, operands[1])

    def step():
        try:
            put(word_of(function(x())))
        except (ValueError, ZeroDivisionError, OverflowError):
            put(word_of(math.inf))

    return step


@operation("F2FP")
def _round_to_bf16(warp, modifiers, operands):
    put, high, low = read.writer(warp, operands[0]), read.real(warp, operands[1]), read.real(warp, operands[2])
    return lambda: put(word_of(high()) >> 16 << 16 | word_of(low()) >> 16)


@operation("HFMA2")
def _constant_by_halves(warp, modifiers, operands):
    put = read.writer(warp, operands[0])
    words = 0
    if len(operands) == 5 and {o.lstrip("-") for o in operands[1:3]} == {"RZ"}:  # a move of a constant
        low, high = (struct.unpack("<H", struct.pack("<e", float(o)))[0] for o in (operands[4], operands[3]))
        words = high << 16 | low
    return lambda: put(words)


@operation("PRMT", "UPRMT")
def _permute(warp, modifiers, operands):
    put = read.writer(warp, operands[0])
    a, selector, b = (read.integer(warp, o) for o in operands[1:4])

    def step():
        data = (b() << 32 | a()).to_bytes(8, "little")
        put(sum(data[selector() >> 4 * k & 7] << 8 * k for k in range(4)))

    return step


@operation("I2F", "I2FP")
def _to_real(warp, modifiers, operands):
    put, source = read.writer(warp, operands[0]), read.integer(warp, operands[1])
    high = read.integer(warp, operands[1], 1) if {"U64", "S64"} & set(modifiers) else lambda: 0
    is_unsigned = bool({"U32", "U64", "S64"} & set(modifiers))
    return lambda: put(word_of(float((high() << 32 | source()) if is_unsigned else signed(source()))))


@operation("F2I")
def _to_integer(warp, modifiers, operands):
    put, x = read.writer(warp, operands[0]), read.real(warp, operands[1])
    high = read.writer(warp, operands[0], 1) if {"U64", "S64"} & set(modifiers) else lambda value: None

    def step():
        value = int(x()) if math.isfinite(x()) else 0
        put(value & MASK), high(value >> 32 & MASK)

    return step


@operation("FRND")
def _round(warp, modifiers, operands):
    put, x = read.writer(warp, operands[0]), read.real(warp, operands[1])
    return lambda: put(word_of(float(math.floor(x()))))


@operation("POPC", "UPOPC")
def _bits(warp, modifiers, operands):
    put, source = read.writer(warp, operands[0]), read.integer(warp, operands[1])
    return lambda: put(bin(source()).count("1"))


@operation("FLO", "UFLO", "BREV", "UBREV", "HMMA", "MATCH", "REDUX", "VOTEU")
def _zero(warp, modifiers, operands):
    """HMMA's sums stay 0; the others occur where lanes part."""
    words = [read.writer(warp, operands[0], w) for w in range(4 if modifiers[:1] == ("16816",) else 1)]

    def step():
        for put in words:
            put(0)

    return step


@operation("VOTE")
def _vote(warp, modifiers, operands):
    registers = [read.writer(warp, o) for o in operands if re.fullmatch(r"U?R\d+", o)]
    outs = [read.predicate_writer(warp, o) for o in operands[:-1] if read.is_predicate(o)]
    vote = read.predicate(warp, operands[-1])

    def step():
        for put in registers:
            put(MASK if vote() else 0)
        for out in outs:
            out(vote())

    return step
