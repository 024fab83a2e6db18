"""q, k and v do not lie one after another: each token's row has its q, its k and its v, so v begins at 2C."""


def answers(p):
    B, T, nh, hs = p["B"], p["T"], p["nh"], p["hs"]
    C = nh * hs
    return {
        "a": [[B, T, C], [C * T, C, 1], 2 * B * T * C],
        "b": [[B, nh, T, hs], [C * T, hs, C, 1], B * T * C],
        "e": [[B, nh, 1, hs], [C * T, hs, C, 1], 2 * B * T * C + p["token"] * C],
    }
