import math


def number_of_parameters(p):
    L, C = p["n_layer"], p["n_embd"]
    return p["vocab_size"] * C + p["block_size"] * C + L * (12 * C * C + 13 * C) + 2 * C


def answers(p):
    gb, N, k = number_of_parameters(p) / 1e9, p["ranks"], p["micro_batches"]
    once = (N - 1) / N * 2 * gb  # a reduce-scatter or an all-gather of two bytes for each parameter
    return {
        "stage0_gb": 16 * gb,
        "stage1_gb": 4 * gb + 12 * gb / N,
        "stage2_gb": 2 * gb + 14 * gb / N,
        "stage3_gb": 16 * gb / N,
        "sent1_gb": 2 * once,
        "sent2_gb": (k + 1) * once,
        "ranks_needed": math.ceil(12 * gb / (p["room_gb"] - 4 * gb)),
    }
