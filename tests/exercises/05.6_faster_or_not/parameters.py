"""Ten pairs of runs. The times of a step have a small spread; the first three steps are slow, and now and then the machine
is busy with something else."""
from statistics import mean, median, quantiles

STEPS = 24


def _times(draw, ms, spread, hiccups):
    times = [ms * draw.uniform(1 - spread, 1 + spread) for _ in range(STEPS)]
    for i, factor in enumerate([draw.uniform(6, 12), draw.uniform(1.5, 2.5), draw.uniform(1.1, 1.4)]):
        times[i] *= factor
    for i in draw.sample(range(4, STEPS), hiccups):
        times[i] *= draw.uniform(3, 6)
    return [round(time, 2) for time in times]


def _pair(draw, kind):
    ms = draw.uniform(20, 400)
    factor = {"faster": draw.uniform(1.08, 1.35), "slower": 1 / draw.uniform(1.08, 1.35), "unclear": draw.choice([0.98, 1.02]),
              "invalid": draw.uniform(1.3, 1.9)}[kind]
    spread = 0.06 if kind == "unclear" else 0.02
    hiccups = {"faster": (0, 3), "slower": (3, 0)}.get(kind, (1, 1))  # so that means tell the opposite
    before = _times(draw, ms, spread, hiccups[0])
    after = _times(draw, ms / factor, spread, hiccups[1])
    losses = [draw.uniform(10.9, 11.0) * 0.95**i for i in range(5)]
    wrong_from = draw.randint(0, 3) if kind == "invalid" else 5  # a first loss that agrees says nothing about backward
    other = [loss * (1 + draw.uniform(0.012, 0.03) * (i >= wrong_from) + draw.uniform(-2e-4, 2e-4)) for i, loss in enumerate(losses)]
    show = lambda values, digits: " ".join(f"{value:.{digits}f}" for value in values)
    return {"ms before": show(before, 2), "ms after": show(after, 2), "losses before": show(losses, 4), "losses after": show(other, 4)}


def _clear(pair, kind):
    """Whether the middle halves are apart, or overlap, however one computes the quartiles; and medians are not near 1."""
    before, after = ([float(word) for word in pair[name].split()] for name in ("ms before", "ms after"))
    apart = []
    for method in ("inclusive", "exclusive"):
        (a, _, b), (c, _, d) = (quantiles(times[3:], n=4, method=method) for times in (before, after))
        apart.append(b * 1.01 < c or d * 1.01 < a)
    ratio, all_steps = median(before[3:]) / median(after[3:]), mean(before) / mean(after)
    distinct = abs(ratio - 1) > 0.005 and abs(all_steps - 1) > 0.02 and abs(all_steps / ratio - 1) > 0.02
    return distinct and (not any(apart) if kind == "unclear" else all(apart))


def parameters(draw):
    kinds = ["faster"] * 3 + ["slower"] * 2 + ["unclear"] * 3 + ["invalid"] * 2
    draw.shuffle(kinds)
    pairs = {}
    for i, kind in enumerate(kinds):
        pair = _pair(draw, kind)
        while not _clear(pair, kind):
            pair = _pair(draw, kind)
        pairs[f"pair {i + 1}"] = pair
    return pairs
