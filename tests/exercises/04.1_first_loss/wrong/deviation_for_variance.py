"""you took the standard deviation of the logits, sigma sqrt(C), for their variance, which is its square."""
from math import log, sqrt


def answers(p):
    deviation = p["sigma"] * sqrt(p["n_embd"])
    return {"logit_variance": deviation, "first_loss": log(p["vocab_size"]) + deviation / 2}
