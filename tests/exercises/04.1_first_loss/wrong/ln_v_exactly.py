"""this is ln V, the loss of equal logits; an untrained model's logits are random, and random confidence costs something."""
from math import log


def answers(p):
    return {"first_loss": log(p["vocab_size"])}
