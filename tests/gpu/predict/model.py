"""The cost model: milliseconds of each kernel of a training step, and of the step.

A kernel takes the time of its bytes, or, where its instructions need more than ISSUE_REACHED of the schedulers' slots,
the time of those; and LAUNCH for each launch. Matrix products and cuDNN's attention take their FLOP at the rate in
gpus.py; cuDNN's backward pass also writes and reads its workspace.
"""
from dataclasses import dataclass

from launches import C, HEADS, HS, LAYERS, V, VP, B as ROWS_B

LAUNCH = 2e-3  # ms
ISSUE_REACHED = 0.8  # of a multiprocessor's issue slots, by kernels with many warps; our attention reaches less:
ISSUE_REACHED_ATTENTION = 0.7
LAUNCHES = {"sum_rows": 2, "layer_norm_backward": 2, "add_layer_norm_backward": 2, "global_norm": 2,
            "cross_entropy_forward": 2, "fused_cross_entropy_forward": 2, "fused_cross_entropy_gradient": 2,
            "embedding_backward": 3}
IN_PLACE = {"adamw": 28 / 16, "fused_cross_entropy_gradient": 2}  # --count has what is read and written once
UNALIGNED = 0.5  # of the rate of products whose rows are not aligned: 50257 columns
SCORE_BYTES = {"06_bf16": 14, "07_fusion": 12}  # that attention's products move for each of the T x T scores
WORKSPACE = 204.5e6 / 64 / 1024  # bytes of cuDNN's backward pass a token (cudnn_plans_test.cpp)
WORKSPACE_DETERMINISTIC = 1613.8e6 / 64 / 1024  # with the deterministic algorithm, at T = 1024


@dataclass
class Line:
    kernel: str
    calls: int
    megabytes: float
    ratio: float  # issue time / memory time; 0 where it is not known
    low: float  # ms, hopeful
    high: float  # ms, cautious


class Model:
    """For one GPU; `moving` and `attention` are the issue slots of launches.py's two tables on its architecture."""

    def __init__(self, gpu, moving, attention):
        self.gpu, self.attention, self.ratios = gpu, attention, {}
        for found in moving:
            op = found.launch.op
            self.ratios[op] = max(self.ratios.get(op, 0), found.ratio(gpu))

    def _moved(self, op, calls, size):
        ratio, size = self.ratios.get(op, 0), size * IN_PLACE.get(op, 1)
        ms = 1e3 * size / self.gpu.bandwidth * max(1, ratio / ISSUE_REACHED) + LAUNCH * calls * LAUNCHES.get(op, 1)
        return Line(op, calls, size / 1e6, ratio, ms, ms)

    def _products(self, name, flops, calls, share=1.0):
        cautious, hopeful = self.gpu.bf16
        low, high = (1e3 * flops / rate / share + LAUNCH * calls for rate in (hopeful, cautious))
        return Line(name, calls, 0, 0, low, high)

    def _own_attention(self, batch):
        """{op: ms} of a layer, scaled from launches.py's batch."""
        found = {}
        for each in self.attention:
            ms = max(each.ms(self.gpu) / ISSUE_REACHED_ATTENTION, each.tensor_ms(self.gpu), each.memory_ms(self.gpu))
            found[each.launch.op] = found.get(each.launch.op, 0) + ms * batch / ROWS_B
        return found

    def _attention(self, op, calls, batch, seq, kernels):
        if kernels == "own":
            ms = calls * (self._own_attention(batch)[op] + LAUNCH * (3 if "backward" in op else 1))
            return Line(op + ", own", calls, 0, 0, ms, ms)
        backward = "backward" in op
        product = 2 * batch * HEADS * seq * seq * HS / 2  # FLOP; half of the scores are visible
        ms = 1e3 * (5 if backward else 2) * product / self.gpu.attention[backward]
        workspace = (WORKSPACE_DETERMINISTIC if kernels == "deterministic" else WORKSPACE) * batch * seq if backward else 0
        traffic = 1e3 * workspace / self.gpu.bandwidth  # written and read, partly behind the products: once to twice
        return Line(op + ", cuDNN", calls, 2 * calls * workspace / 1e6, 0, calls * (ms + traffic), calls * (ms + 2 * traffic))

    def lines(self, counts, attention="cudnn"):
        """The kernels of a step; `counts` is a line of step_counts."""
        step, batch, seq, micro = (counts[key] for key in ("step", "batch", "seq", "micro_batches"))
        tokens, found = batch * seq * micro, []
        for op, (calls, size) in counts["kernels"].items():
            if op == "matmul":
                found += self._matrix_products(step, batch, seq, micro, calls)
            elif op.startswith("flash_attention"):
                found.append(self._attention(op, calls, batch, seq, attention))
            else:
                found.append(self._moved(op, calls, size))
        return sorted(found, key=lambda line: -line.high)

    def _matrix_products(self, step, batch, seq, micro, calls):
        tokens = batch * seq * micro
        aligned = step >= "09"
        head = 3  # forward, and two backward
        blocks = self._products("products of the blocks", 6 * tokens * LAYERS * 12 * C * C, calls - head * micro)
        head = self._products("products of the head", 6 * tokens * C * (VP if aligned else V), head * micro,
                              1 if aligned else UNALIGNED)
        if step not in SCORE_BYTES:
            return [blocks, head]
        size = SCORE_BYTES[step] * LAYERS * batch * HEADS * seq * seq * micro
        ms = 1e3 * size / self.gpu.bandwidth
        return [blocks, head, Line("products of attention", 0, size / 1e6, 0, ms, ms)]

    def step_ms(self, counts, attention="cudnn"):
        """(hopeful, cautious)"""
        lines = self.lines(counts, attention)
        return sum(line.low for line in lines), sum(line.high for line in lines)
