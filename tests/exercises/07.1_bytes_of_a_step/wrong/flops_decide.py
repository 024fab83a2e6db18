"""the fused kernel computes as much as before, but these kernels wait for memory: count the bytes that are no longer moved."""


def answers(p):
    return {"saved_ms": 0}
