"""a third is the whole forward pass; lm_head's product is not made again, since it belongs to no block."""


def answers(p):
    return {"block_flops_percent": 100 / 3}
