"""Issue slots of a launch: how long a GPU's schedulers need for its instructions, beside the time of its bytes."""
from dataclasses import dataclass

from warp import Warp

SCHEDULERS = 4  # of a multiprocessor, since compute capability 7.0
FLOPS_OF_HMMA = 2 * 16 * 8 * 16  # of one m16n8k16


@dataclass
class Issue:
    launch: object
    instructions: float  # of a warp, on average
    moved: float  # bytes that all warps load and store, caches included
    tensor_flops: float  # of all warps

    def ms(self, gpu):
        return 1e3 * self.instructions * self.launch.warps / (gpu.multiprocessors * SCHEDULERS * gpu.clock)

    def memory_ms(self, gpu):
        return 1e3 * self.launch.bytes / gpu.bandwidth

    def tensor_ms(self, gpu):
        return 1e3 * self.tensor_flops / gpu.mma_sync

    def ratio(self, gpu):
        return self.ms(gpu) / self.memory_ms(gpu)


def issue_of(launch, kernel):
    warps = [Warp(kernel, launch.arguments, (launch.block, 1, 1), launch.grid3, cta, thread) for cta, thread in launch.sampled()]
    instructions = sum(warp.run() for warp in warps) / len(warps)
    moved = sum(warp.loaded + warp.stored for warp in warps) / len(warps) * 32 * launch.warps
    products = sum(warp.count["HMMA"] for warp in warps) / len(warps) * launch.warps
    return Issue(launch, instructions, moved, products * FLOPS_OF_HMMA)
