"""What holds for every kernel on every GPU architecture, checked on the compiled code.

The tables are exceptions, first match counts, each with its reason. A kernel that no line names promises the default:
no spills, no stack, 16 bytes per load and store, registers for three blocks of 256 threads, and issue slots for at most
0.7 of the time that its bytes take.
"""
import re

import gpus
import issue
import launches

SHARED = 48 << 10  # static shared memory: what every GPU has without opting in
MOST_ISSUE = 0.7  # of the memory time: above it, the instructions delay the loads
MOVED = (0.98, 2.5)  # bytes that the interpreted warps move, caches included, beside those that have to move
GATED = "H200"

# kernel, registers, why more than the default
REGISTERS = [
    (r"flash_attention_float: .*", 128, "__launch_bounds__(256, 2): two blocks share 65,536 registers"),
    (r"flash_attention_backward: .*<(32|64)>", 184, "three blocks of 128 threads, or one on GPUs with 100 KB of shared memory"),
    (r"flash_attention_(forward|backward): .*<\d+>", 255, "sums of a tile in registers; one or two blocks of 128 threads"),
    (r"(add_)?layer_norm: layer_norm_backward_kernel.*", 128, "four blocks of 128 threads: a row and its sums, in pieces"),
    (r"(add_)?layer_norm: add_partial_sums_kernel.*", 168, "a block for each few columns: 16 loads in flight for each thread"),
    (r".*", 72, "three blocks of 256 threads: 16 bytes in flight for each of 768 threads and more"),
]
# kernel, bits of the widest load and store (0: none), why not 128 and 128
WIDTHS = [
    (r"flash_attention_float: .*", 32, 32, "float attention is bound by arithmetic"),
    (r"flash_attention_backward: row_statistics.*", 128, 32, "a result for eight lanes"),
    (r"copy: copy_strided_kernel<1, .*", 16, 16, "single values: rows that are not aligned"),
    (r"copy: \w+<(4, )?bf16, float>", 128, 64, "four values, 16 bytes of float"),
    (r"copy: \w+<(4, )?float, bf16>", 64, 128, "four values, 16 bytes of float"),
    (r"cross_entropy: \w+_forward_kernel|fused_cross_entropy: \w+<\w+ const, .*", 128, 32, "one loss a row"),
    (r"global_norm: squares_kernel<.*", 128, 32, "one sum a block"),
    (r"fill: fill_kernel", 0, 128, "reads nothing"),
    (r"(mean: mean|global_norm: root|fill: arange|adamw: adamw_advance)_kernel", 0, 0, "a few values"),
    (r"add_layer_norm: layer_norm_again_kernel<float, bf16>", 128, 64, "four values, 16 bytes of float"),
    (r"(add_)?layer_norm: .*_kernel<bf16, (bf16, )?(bf16|true|false).*", 64, 64, "four bf16 values for each lane, as of float rows"),
    (r"add_layer_norm: add_partial_sums_kernel<bf16>", 128, 64, "four values: sums of float, results of bf16"),
    (r"sum_rows: sum_rows_kernel<bf16, float>", 128, 64, "the same"),
    (r"sum_rows: sum_rows_kernel<bf16, bf16>", 64, 64, "four bf16 values for each lane"),
    (r"embedding: (sum|add)_tiles_kernel<bf16>", 64, 64, "four values: sums of float, rows of bf16"),
    (r".*", 128, 128, ""),
]


def _row(table, name):
    return next(row for row in table if re.fullmatch(row[0], name))


def is_unused(kernel):
    """Before compute capability 8.0 nothing is computed in bf16, and our attention for it stops (mma.cuh)."""
    return kernel.architecture < 80 and (is_tensor_kernel(kernel.name) or "bf16" in kernel.name)


def is_tensor_kernel(name):
    return re.fullmatch(r"flash_attention_(forward|backward): (forward|backward)_\w+<\d+>", name) or \
        re.fullmatch(r"flash_attention_forward: forward_kernel<\d+>", name)


def widest(kernel, *opcodes):
    found = [i for i in kernel.instructions if i.opcode in opcodes]
    return max((128 if "128" in i.modifiers else 64 if "64" in i.modifiers else 32 for i in found), default=0)


def faults_of(kernel):
    """What is wrong with the compiled code of one kernel, as sentences."""
    if is_unused(kernel):
        return
    _, registers, why = _row(REGISTERS, kernel.name)
    _, load, store, _ = _row(WIDTHS, kernel.name)
    if kernel.spills or kernel.stack:
        yield f"{kernel.spills} bytes of registers spill, the stack frame has {kernel.stack} bytes"
    if kernel.registers > registers:
        yield f"{kernel.registers} registers, the ceiling is {registers} ({why})"
    if kernel.shared > SHARED:
        yield f"{kernel.shared} bytes of static shared memory, a block has {SHARED}"
    for opcodes, bits, what in ((("LDG", "LDGSTS"), load, "load"), (("STG",), store, "store")):
        if widest(kernel, *opcodes) < bits and bits > 32:
            yield f"no {bits}-bit {what}: the widest has {widest(kernel, *opcodes)}"
    if is_tensor_kernel(kernel.name) and not kernel.count("HMMA"):
        yield "no HMMA: the products are not on tensor cores"


def check_code(compiled):
    """Faults of {architecture: {name: Kernel}}, one line each."""
    for architecture, kernels in sorted(compiled.items()):
        for name, kernel in sorted(kernels.items()):
            for fault in faults_of(kernel):
                yield f"{name}, sm_{architecture}: {fault}"


def measured_issue(kernels, table=None):
    """[Issue] for the launches of the table; a launch of a kernel that is gone is an error."""
    found = []
    for launch in table if table is not None else launches.BOUND_BY_MEMORY:
        if launch.kernel not in kernels:
            raise SystemExit(f"launches.py: {launch.kernel} is not compiled any more: change its line")
        found.append(issue.issue_of(launch, kernels[launch.kernel]))
    return found


def check_issue(issues, gpu=gpus.GPUS[GATED]):
    for found in issues:
        name, ratio = found.launch.kernel, found.ratio(gpu)
        moved = found.moved / found.launch.bytes
        if not MOVED[0] <= moved <= MOVED[1]:
            yield f"{name}: its warps move {moved:.2f} times the bytes of its line in launches.py"
        if ratio > MOST_ISSUE and not found.launch.over:
            yield f"{name}: issue slots take {ratio:.2f} of the memory time on an {gpu.name}, at most {MOST_ISSUE} is allowed"
        if ratio <= MOST_ISSUE and found.launch.over:
            yield f"{name}: {ratio:.2f} of the memory time is within {MOST_ISSUE}: its exception in launches.py is not needed"


def summary(compiled):
    kernels = [kernel for by_name in compiled.values() for kernel in by_name.values()]
    most = max(kernels, key=lambda kernel: kernel.registers)
    return (f"{len(kernels)} compiled kernels ({len(next(iter(compiled.values())))} on {len(compiled)} architectures), "
            f"spills in {sum(kernel.spills > 0 for kernel in kernels)}, at most {most.registers} registers "
            f"({most.name}, sm_{most.architecture})")
