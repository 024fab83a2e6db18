"""the mean of exp(z) is exp(s^2 / 2), not exp(s^2): a factor of one half is missing."""
from math import log, sqrt


def answers(p):
    V, C = p["vocab_size"], p["n_embd"]
    return {"first_loss": log(V) + C * p["sigma"] ** 2, "largest_sigma": sqrt(p["excess"] / C)}
