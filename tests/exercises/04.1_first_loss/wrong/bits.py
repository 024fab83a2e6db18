"""this is a logarithm to base 2; the loss is measured with the natural one."""
from math import log2


def answers(p):
    bits = log2(p["vocab_size"])
    return {"uniform": bits, "first_loss": bits + p["n_embd"] * p["sigma"] ** 2 / 2}
