"""Counts the instructions that one warp issues, by interpreting SASS.

One lane is interpreted: the others are assumed to take the same branches, which holds in our kernels but for the ends
of rows. Lane 0 of a warp takes every branch that only one lane takes, so it stands for the warp. Floating-point values
are those of one lane, so a sum over the warp is wrong; it only has to be finite.
"""
import re
from collections import Counter

import operands as read
from instructions import OPERATIONS, POINTER, Unknown
from operands import MASK, word_of

PARAMETERS = {75: 0x160, 80: 0x160, 86: 0x160, 89: 0x160, 90: 0x210}  # where arguments begin in constant bank 0


class Filled:
    """An argument that points to memory where every 32-bit word is the same."""

    def __init__(self, word):
        self.word = word


FLOATS, BF16S, IDS = Filled(0x3F800000), Filled(0x3F803F80), Filled(0)  # ones, ones, zeros


class Int32(int):
    pass


class Warp:
    def __init__(self, kernel, arguments, block, grid, cta=(0, 0, 0), thread=0):
        self.kernel, self.thread, self.cta = kernel, thread, cta
        self.R, self.UR, self.P, self.UP = [0] * 258, [0] * 66, [False] * 8, [False] * 8
        self.constants, self.shared, self.fills = {}, {}, {}
        for i, size in enumerate((*block, *grid)):
            self.constants[4 * i] = size
        self._place(arguments)
        self.count, self.loaded, self.stored = Counter(), 0, 0  # bytes of a lane in global memory
        self.program = [self._compiled(i) for i in kernel.instructions]

    def _place(self, arguments):
        """Puts the arguments, and members of structs (lists), where the kernel expects them."""
        at = PARAMETERS[self.kernel.architecture]

        def put(value):
            nonlocal at
            if isinstance(value, (list, tuple)):
                for member in value:
                    put(member)
                return
            size = 4 if isinstance(value, (float, Int32)) else 8
            at = -(-at // size) * size
            if isinstance(value, Filled):
                self.fills[len(self.fills) + 1] = value.word
                value = len(self.fills) * POINTER
            bits = word_of(value) if isinstance(value, float) else int(value)
            for word in range(size // 4):
                self.constants[at + 4 * word] = bits >> 32 * word & MASK
            at += size

        put(arguments)

    def _compiled(self, instruction):
        function = OPERATIONS.get(instruction.opcode)
        predicate = read.predicate(self, instruction.predicate) if instruction.predicate else None
        if function is None:
            return predicate, instruction.opcode, lambda: self._unknown(instruction)
        return predicate, instruction.opcode, function(self, instruction.modifiers, instruction.operands)

    def _unknown(self, instruction):
        raise Unknown(f"{self.kernel.name}: the interpreter does not know {instruction}")

    def target(self, operand):
        label = re.search(r"\((.*)\)", operand)
        return self.kernel.labels[label[1]] if label else self.kernel.offsets[int(operand, 16)]

    def run(self, limit=1_000_000):
        """Returns the number of instructions until EXIT."""
        at = issued = 0
        while issued < limit:
            predicate, opcode, step = self.program[at]
            issued, at = issued + 1, at + 1
            self.count[opcode] += 1
            if predicate is not None and not predicate():
                continue
            if opcode == "EXIT":
                return issued
            jump = step()
            if jump is not None:
                at = jump
        raise Unknown(f"{self.kernel.name}: no end after {limit} instructions")
