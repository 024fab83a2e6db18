"""gradients.safetensors: one forward and backward of step 04's model at a small size, with everything in it.

Tensors: `idx` and `targets` (B, T) int32; `logits` (B, T, V); `loss`; and, for every parameter NAME,
`weight.NAME` and `grad.NAME`. The tied matrix is there once, as transformer.wte.weight. The model has 2
layers, 2 heads, 32 channels, block size 32, 257 ids; B is 2 and T is 17, which is odd.
"""

import torch

from golden_io import write_tensors
from video_gpt2 import GPT, GPTConfig

SEED = 1337
CONFIG = GPTConfig(block_size=32, vocab_size=257, n_layer=2, n_head=2, n_embd=32)
B, T = 2, 17


def make(options):
    torch.manual_seed(SEED)
    model = GPT(CONFIG)
    idx, targets = torch.randint(CONFIG.vocab_size, (2, B, T), generator=torch.Generator().manual_seed(SEED))
    logits, loss = model(idx, targets)
    loss.backward()
    tensors = {"idx": idx.int(), "targets": targets.int(), "logits": logits, "loss": loss}
    for name, parameter in model.named_parameters():
        tensors[f"weight.{name}"] = parameter
        tensors[f"grad.{name}"] = parameter.grad
    write_tensors(options.out / "gradients.safetensors", tensors)
