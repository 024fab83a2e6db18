"""schedule.json: the learning rate of the video at 2:26:21, through torch's LambdaLR."""

import math

import torch

from golden_io import digits9, write_json

MAX_LR, MIN_LR, WARMUP, MAX_STEPS = 6e-4, 6e-5, 10, 50
STEPS = (0, 1, 9, 10, 30, 49, 50, 51, 100)


def get_lr(it):
    if it < WARMUP:
        return MAX_LR * (it + 1) / WARMUP
    if it > MAX_STEPS:
        return MIN_LR
    decay_ratio = (it - WARMUP) / (MAX_STEPS - WARMUP)
    coeff = 0.5 * (1.0 + math.cos(math.pi * decay_ratio))
    return MIN_LR + coeff * (MAX_LR - MIN_LR)


def make(options):
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, get_lr)
    rates = {}
    for step in range(max(STEPS) + 1):
        rates[step] = digits9(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    write_json(options.out / "schedule.json", {"step": STEPS, "lr": [rates[step] for step in STEPS]})
