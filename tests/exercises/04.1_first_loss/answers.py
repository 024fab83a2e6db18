from math import log, sqrt


def answers(p):
    V, C, sigma = p["vocab_size"], p["n_embd"], p["sigma"]
    variance = C * sigma**2
    return {
        "uniform": log(V),
        "logit_variance": variance,
        "first_loss": log(V) + variance / 2,
        "largest_sigma": sqrt(2 * p["excess"] / C),
    }
