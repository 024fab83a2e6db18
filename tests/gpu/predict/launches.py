"""How a step of GPT-2 124M launches our kernels: the table that the static gates and the predictions read.

A line is Launch(op, kernel, arguments, grid, block, bytes): `op` is the name in --count, `kernel` the name in sass.py.
`arguments` are those of the kernel, pointers as FLOATS, BF16S or IDS. `bytes` are those that have to move, each input
and output once. The rows are those of B = 64, T = 1024; smaller batches have the same instructions for each byte.
"""
from dataclasses import dataclass, field

from warp import BF16S, FLOATS, IDS, Int32

B, T, C, HEADS, HS, LAYERS = 64, 1024, 768, 12, 64, 12
V, VP = 50257, 50304
N = B * T
PARAMETERS = 124_475_904
SCORES = B * HEADS * T * T


@dataclass
class Launch:
    op: str
    kernel: str
    arguments: list
    grid: tuple
    block: int
    bytes: float
    ctas: list = field(default_factory=list)  # the blocks that are interpreted, by default the second; all their warps
    over: str = ""  # why issue time may exceed MOST_ISSUE of the memory time

    @property
    def grid3(self):
        return (*self.grid, 1, 1)[:3]

    @property
    def warps(self):
        x, y, z = self.grid3
        return x * y * z * -(-self.block // 32)

    def sampled(self):
        """(block, first thread) of the warps that stand for all."""
        ctas = self.ctas or [tuple(min(1, size - 1) for size in self.grid3)]
        return [(cta, thread) for cta in ctas for thread in range(0, self.block, 32)]


def blocks(n, a_thread, block=256):
    return (-(-n // (a_thread * block)),)


def _chunks(rows, cols):
    """row_chunks of column_sums.cuh."""
    return max(1, min(-(-rows // 128), -(-512 // -(-cols // 128))))


def _sums(cols, of=BF16S, size=2):
    chunks = _chunks(N, cols)
    return Launch("sum_rows", f"sum_rows: sum_rows_kernel<float, {'bf16' if of is BF16S else 'float'}>",
                  [FLOATS, of, N, cols, 0.0], (-(-cols // 128), chunks), 256, size * N * cols)


def _scores(op, kernel, arguments, bytes, over=""):
    """One warp a row of T scores; every 32nd group of rows is interpreted."""
    return Launch(op, kernel, arguments, (B * HEADS, T // 8), 256, bytes, ctas=[(1, y, 0) for y in range(4, T // 8, 32)], over=over)


_TWO_PASSES = "two passes over rows of 1,024 with expf or a product for each value, in lanes that are idle behind the diagonal"
_LOSS = "an exponential for every value of 2 bytes, and with the gradient another"
_NARROW = "two thirds of a float row's bytes or fewer, but as many instructions: four values a lane"
_LONG_TANH = "tanhf takes 20 instructions a value; steps from 07 on have it in the product's epilogue"

BOUND_BY_MEMORY = [
    Launch("add", "add: add_kernel<float, bf16>", [FLOATS, FLOATS, BF16S, N * C, 1], blocks(N * C, 4), 256, 10 * N * C),
    Launch("add", "add: add_kernel<float, float>", [FLOATS, FLOATS, FLOATS, N * C, 1], blocks(N * C, 4), 256, 12 * N * C),
    Launch("scale", "scale: scale_kernel<bf16, float>", [BF16S, BF16S, 0.125, SCORES], blocks(SCORES, 8), 256, 4 * SCORES),
    Launch("copy_strided", "copy: cast_kernel<bf16, float>", [BF16S, FLOATS, PARAMETERS], blocks(PARAMETERS, 4), 256, 6 * PARAMETERS),
    Launch("copy_strided", "copy: cast_kernel<float, bf16>", [FLOATS, BF16S, SCORES], blocks(SCORES, 4), 256, 6 * SCORES),
    Launch("copy_strided", "copy: copy_strided_kernel<8, bf16, bf16>",
           [BF16S, BF16S, [B, T, HEADS, HS // 8, T * C, C, HS, 8, T * C, HS, T * HS, 8]],
           (-(-HEADS * HS // 8 // 256), T, B), 256, 4 * N * C,
           over="the index needs divisions; 96 of 256 threads have a piece"),
    Launch("gelu_forward", "gelu: gelu_forward_kernel<bf16>", [BF16S, BF16S, 4 * N * C], blocks(4 * N * C, 8), 256, 16 * N * C,
           over=_LONG_TANH),
    Launch("gelu_backward", "gelu: gelu_backward_kernel<bf16>", [BF16S, BF16S, BF16S, 4 * N * C], blocks(4 * N * C, 8), 256,
           24 * N * C, over=_LONG_TANH),
    Launch("layer_norm_forward", "layer_norm: layer_norm_forward_kernel",
           [FLOATS] * 6 + [N, C, 1e-5], (N // 8,), 256, 8 * N * C,
           over="three passes over a row in shared memory; steps from 07 on add the residual in the same kernel"),
    Launch("add_layer_norm_forward", "add_layer_norm: add_layer_norm_forward_kernel<float, bf16, bf16>",
           [FLOATS, BF16S, FLOATS, FLOATS, FLOATS, BF16S, FLOATS, FLOATS, N, C, N, 1e-5], (N // 8,), 256, 12 * N * C),
    Launch("add_layer_norm_forward", "add_layer_norm: add_layer_norm_forward_kernel<bf16, bf16, bf16>",
           [BF16S, BF16S, FLOATS, FLOATS, BF16S, BF16S, BF16S, BF16S, N, C, N, 1e-5], (N // 8,), 256, 8 * N * C, over=_NARROW),
    Launch("layer_norm_again", "add_layer_norm: layer_norm_again_kernel<bf16, bf16>",
           [BF16S, BF16S, FLOATS, FLOATS, BF16S, BF16S, N, C], (N // 8,), 256, 4 * N * C, over=_NARROW),
    _sums(C),
    _sums(3 * C),
    _sums(4 * C),
    Launch("causal_mask", "causal_mask: causal_mask_kernel<bf16>", [BF16S, BF16S, -1e30, T], (B * HEADS * T, 1), 128, 3 * SCORES,
           ctas=[(1023, 0, 0)]),
    Launch("softmax_forward", "softmax: softmax_forward_kernel", [FLOATS, FLOATS, T], (B * HEADS * T,), 256, 8 * SCORES,
           over="expf of every value, and a block's reductions for 1,024 of them"),
    Launch("softmax_backward", "softmax: softmax_backward_kernel", [FLOATS, FLOATS, FLOATS, T], (B * HEADS * T,), 256, 12 * SCORES),
    _scores("causal_softmax_forward", "causal_softmax: causal_softmax_forward_kernel<bf16>", [BF16S, BF16S, 0.125, T], 3 * SCORES, _TWO_PASSES),
    _scores("causal_softmax_backward", "causal_softmax: causal_softmax_backward_kernel<bf16>", [BF16S, BF16S, BF16S, 0.125, T],
            4 * SCORES, _TWO_PASSES),
    Launch("cross_entropy_forward", "cross_entropy: cross_entropy_forward_kernel", [FLOATS, FLOATS, FLOATS, IDS, V], (N,), 512,
           4 * N * V, ctas=[(4, 0, 0)]),
    Launch("cross_entropy_backward", "cross_entropy: cross_entropy_backward_kernel",
           [FLOATS, FLOATS, FLOATS, IDS, FLOATS, V], (N, 50), 256, 8 * N * V, ctas=[(4, 5, 0)]),
    Launch("fused_cross_entropy_forward", "fused_cross_entropy: fused_cross_entropy_kernel<bf16 const, true>",
           [FLOATS, BF16S, IDS, Int32(V), Int32(VP)], (N,), 512, 2 * N * VP, over=_LOSS),
    Launch("fused_cross_entropy_gradient", "fused_cross_entropy: fused_cross_entropy_kernel<bf16, true>",
           [FLOATS, BF16S, IDS, Int32(V), Int32(VP)], (N,), 512, 4 * N * VP, over=_LOSS),
    Launch("adamw", "adamw: adamw_kernel<float>",
           [[FLOATS, BF16S, FLOATS, FLOATS, FLOATS, PARAMETERS, PARAMETERS, 0, 0], FLOATS, FLOATS, 1.0, [0.1, 0.05, 0.95, 1e-8]],
           blocks(PARAMETERS, 4), 256, 30 * PARAMETERS),
    Launch("adamw", "adamw: adamw_kernel<bf16>",
           [[FLOATS, BF16S, BF16S, FLOATS, FLOATS, PARAMETERS, PARAMETERS, 1337, 0], FLOATS, FLOATS, 1.0, [0.1, 0.05, 0.95, 1e-8]],
           blocks(PARAMETERS, 4), 256, 28 * PARAMETERS),
    *(Launch("global_norm", f"global_norm: squares_kernel<{name}>", [FLOATS, pointer, PARAMETERS],
             (-(-PARAMETERS // 16384),), 512, size * PARAMETERS)
      for name, pointer, size in (("float", FLOATS, 4), ("bf16", BF16S, 2))),
    *(Launch("embedding_forward", f"embedding: embedding_forward_kernel<{name}>", [pointer, pointer, IDS, C], (N,), threads,
             2 * size * N * C)
      for name, pointer, size, threads in (("float", FLOATS, 4, 192), ("bf16", BF16S, 2, 96))),
]


def _heads(pointer, packed):
    return [pointer, *((T * 3 * C, HS, 3 * C) if packed else (T * C, HS, C))]


_SHAPE = [B, HEADS, T, HS, 0.125, Int32(0), Int32(1)]  # the scale, what aligns the struct, and is_aligned

# Own attention, bf16: bound by instructions and tensor cores. Every tile of one head is interpreted.
BOUND_BY_ARITHMETIC = [
    Launch("flash_attention_forward", "flash_attention_forward: forward_kernel<64>",
           [_heads(BF16S, False), FLOATS, _heads(BF16S, True), _heads(BF16S, True), _heads(BF16S, True), _SHAPE],
           (B * HEADS * T // 128,), 128, 8 * N * C, ctas=[(i, 0, 0) for i in range(T // 128)]),
    *(Launch("flash_attention_backward", f"flash_attention_backward: {kernel}<64>",
             [_heads(BF16S, True)] * 3 + [_heads(BF16S, False)] + [_heads(BF16S, True)] * 3 + [FLOATS, _SHAPE],
             (B * HEADS * T // 64,), 128, 7 * N * C, ctas=[(i, 0, 0) for i in range(T // 64)])
      for kernel in ("backward_keys_kernel", "backward_queries_kernel")),
    Launch("flash_attention_backward", "flash_attention_backward: row_statistics_kernel<bf16>",
           [FLOATS, FLOATS, _heads(BF16S, False), _heads(BF16S, False), [B, HEADS, T, HS, 0.125]],
           (B * HEADS * T * 8 // 256,), 256, 4 * N * C),
]
