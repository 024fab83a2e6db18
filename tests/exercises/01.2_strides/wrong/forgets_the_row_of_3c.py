"""a row of qkv has 3C numbers, and its parts step over all of them: the stride of T is not C."""


def answers(p):
    B, T, nh, hs = p["B"], p["T"], p["nh"], p["hs"]
    C = nh * hs
    return {
        "a": [[B, T, C], [C * T, C, 1], 2 * C],
        "b": [[B, nh, T, hs], [C * T, hs, C, 1], C],
        "c": [[B, nh, hs, T], [C * T, hs, 1, C], C],
    }
