from statistics import mean, median, quantiles


def numbers(text):
    return [float(word) for word in text.split()]


def verdict(pair):
    before, after = numbers(pair["ms before"])[3:], numbers(pair["ms after"])[3:]
    losses = zip(numbers(pair["losses before"]), numbers(pair["losses after"]))
    if any(abs(a - b) > 5e-3 * a for a, b in losses):
        return "invalid"
    (low_before, _, high_before), (low_after, _, high_after) = (quantiles(times, n=4) for times in (before, after))
    return "faster" if high_after < low_before else "slower" if high_before < low_after else "unclear"


def ratio(pair):
    return median(numbers(pair["ms before"])[3:]) / median(numbers(pair["ms after"])[3:])


def ratio_of_means(pair):
    return mean(numbers(pair["ms before"])) / mean(numbers(pair["ms after"]))


def answers(p):
    fooled = [i + 1 for i, pair in enumerate(p.values()) if (ratio(pair) > 1) != (ratio_of_means(pair) > 1)]
    return {**{name: [verdict(pair), ratio(pair)] for name, pair in p.items()}, "fooled": fooled}
