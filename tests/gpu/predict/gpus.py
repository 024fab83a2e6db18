"""What the predictions assume of a GPU. Rates are what kernels reach, not data sheets: a bandwidth of 0.87 times the
sheet's, products of 0.6 (cautious) to 0.7 (hopeful) times it at the shapes of GPT-2 124M."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    name: str
    architecture: int  # whose SASS is counted
    multiprocessors: int
    clock: float  # Hz, under load
    bandwidth: float  # bytes/s reached
    bf16: tuple  # FLOP/s of matrix products: cautious, hopeful
    mma_sync: float  # FLOP/s of our attention's tensor core instructions
    attention: tuple  # FLOP/s of cuDNN's attention, forward and backward, counting the visible half


GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("H200", 90, 132, 1.755e9, 4.2e12, (600e12, 700e12), 620e12, (300e12, 250e12)),
        Gpu("H100", 90, 132, 1.755e9, 2.9e12, (600e12, 700e12), 620e12, (300e12, 250e12)),
        Gpu("A100", 80, 108, 1.410e9, 1.75e12, (200e12, 250e12), 312e12, (150e12, 120e12)),
        Gpu("RTX 4090", 89, 128, 2.520e9, 0.92e12, (140e12, 160e12), 165e12, (110e12, 90e12)),
    )
}
