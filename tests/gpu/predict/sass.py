"""What nvcc made of our kernels: resources from ptxas, instructions from nvdisasm."""
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Instruction:
    predicate: str  # "", "P0", "!P0", "UP1"
    opcode: str  # LDG
    modifiers: tuple  # ("E", "128")
    operands: list

    def __str__(self):
        name = ".".join((self.opcode, *self.modifiers))
        return f"{'@' + self.predicate + ' ' if self.predicate else ''}{name} {', '.join(self.operands)}".strip()


@dataclass
class Kernel:
    name: str  # gelu: gelu_forward_kernel<bf16>
    architecture: int
    registers: int = 0
    stack: int = 0  # bytes, as are the following
    spills: int = 0
    shared: int = 0  # static; dynamic shared memory is the launcher's
    instructions: list = field(default_factory=list)
    labels: dict = field(default_factory=dict)  # label -> index into instructions
    offsets: dict = field(default_factory=dict)  # byte offset -> index

    def count(self, opcode, *modifiers):
        return sum(i.opcode == opcode and set(modifiers) <= set(i.modifiers) for i in self.instructions)


def short_name(source, demangled):
    """gelu, "void gpt2::cuda::(anonymous namespace)::gelu_forward_kernel<gpt2::bf16>(...)" -> gelu: gelu_forward_kernel<bf16>"""
    text = demangled.replace("(anonymous namespace)::", "").replace("gpt2::cuda::", "").replace("gpt2::", "")
    found = re.match(r"(?:void )?(\w+(?:<[^()]*>)?)\(", re.sub(r"\((?:int|bool)\)", "", text))
    return f"{source}: {found[1] if found else text}"


def demangled(names):
    """{mangled: demangled}; c++filt comes with the compiler."""
    names = sorted(names)
    lines = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return dict(zip(names, lines.splitlines()))


_RESOURCES = {
    "stack": r"(\d+) bytes stack frame",
    "spills": r"(\d+) bytes spill stores",
    "registers": r"Used (\d+) registers",
    "shared": r"(\d+) bytes smem",
}


def read_resources(log):
    """{mangled name: {"registers": ...}} of what `ptxas -v` prints, for kernels only."""
    found, entry, about = {}, None, None
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\S+)'", line):
            entry = about = found.setdefault(match[1], dict.fromkeys(_RESOURCES, 0))
        elif match := re.search(r"Function properties for (\S+)", line):
            about = found.get(match[1])  # None for a function that a kernel calls
        elif "Used" in line:
            about = entry
        if about is None:
            continue
        for resource, pattern in _RESOURCES.items():
            if match := re.search(pattern, line):
                about[resource] = int(match[1])
    return found


_INSTRUCTION = re.compile(r"\s*/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?P\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;")
_LABEL = re.compile(r"([.$\w]\S*):\s*$")


def split_operands(text):
    """Commas outside of brackets and quotes."""
    return [part.strip() for part in re.split(r",(?![^\[(]*[\])])", text)] if text else []


def read_listing(listing, kernels):
    """Adds to {mangled name: Kernel} the instructions of a listing by `nvdisasm -c`."""
    kernel = None
    for line in listing.splitlines():
        if match := re.match(r"\s*\.section\s+\.text\.([^\s,]+)", line):
            kernel = kernels.get(match[1])
        elif kernel is None:
            continue
        elif match := _INSTRUCTION.match(line):
            offset, predicate, opcode, operands = match.groups()
            kernel.offsets[int(offset, 16)] = len(kernel.instructions)
            opcode, *modifiers = opcode.split(".")
            kernel.instructions.append(Instruction(predicate or "", opcode, tuple(modifiers), split_operands(operands)))
        elif match := _LABEL.match(line):
            kernel.labels[match[1]] = len(kernel.instructions)


def kernels_of(source, architecture, log, listing):
    """The kernels of one source for one architecture, by their short names."""
    found = {mangled: Kernel("", architecture, **resources) for mangled, resources in read_resources(log).items()}
    read_listing(listing, found)
    names = demangled(found)
    for mangled, kernel in found.items():
        kernel.name = short_name(source, names[mangled])
    return {kernel.name: kernel for kernel in found.values()}
