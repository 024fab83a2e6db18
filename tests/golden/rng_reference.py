"""torch's CPU random numbers re-implemented in numpy: the formulas that the C++ generator follows.

Verified against the torch of requirements.txt; `python tests/golden/rng_reference.py` prints the differences.

random()         one 32-bit output of mt19937, seeded by the standard's recurrence with the seed's low 32 bits
random64()       (first random() << 32) | second random()
uniform float    (random() & (2^24 - 1)) * 2^-24, in [0, 1)
uniform_(a, b)   fma(u, b - a, a) in float: torch's build contracts multiply and add (one rounding, not two)
uniform double   (random64() & (2^53 - 1)) * 2^-53
exponential_     float(-1 / lambda * log1p(-u)) in double, u a uniform double
normal_, n < 16  in double, two at a time from the uniform doubles u1, u2 (drawn in this order):
                 r = sqrt(-2 log1p(-u2)), theta = 2 pi u1; first z = r cos(theta), then z = r sin(theta);
                 the value is float(z * std + mean). The second z waits in the generator for the next short
                 normal_, across calls and with that call's mean and std; manual_seed forgets it.
normal_, n >= 16 in float. All n uniform floats are drawn first, in order. Then, in each full block of 16, for
                 j < 8: r = sqrt(-2 log(1 - u[j])), theta = 2 pi u[j + 8],
                 value[j] = r cos(theta) * std + mean, value[j + 8] = r sin(theta) * std + mean.
                 Unless 16 divides n, the last 16 values are then drawn anew (16 uniforms, one block) over
                 what the full blocks left there. The z that waits for a short normal_ is left alone.
                 torch takes log, sin and cos from a vector library: libm's float functions to a few ulp.
multinomial(p,1) argmax over each row of p / q in float, q = exponential_(1) of p's shape, drawn row by row;
                 the first of equal values wins; p need not sum to one.
"""

import numpy as np

_U24 = np.uint64((1 << 24) - 1)
_U53 = np.uint64((1 << 53) - 1)


class Generator:
    """torch.Generator('cpu') after manual_seed(seed)."""

    def __init__(self, seed):
        key = [seed & 0xFFFFFFFF]
        for i in range(1, 624):
            key.append((1812433253 * (key[-1] ^ (key[-1] >> 30)) + i) & 0xFFFFFFFF)
        self._engine = np.random.MT19937()
        state = {"key": np.array(key, dtype=np.uint32), "pos": 624}
        self._engine.state = {"bit_generator": "MT19937", "state": state}
        self._kept_normal = None

    def random(self, n):
        return np.atleast_1d(self._engine.random_raw(n)).astype(np.uint64)

    def random64(self, n):
        pairs = self.random(2 * n).reshape(n, 2)
        return (pairs[:, 0] << np.uint64(32)) | pairs[:, 1]

    def uniform(self, n, low=0.0, high=1.0):
        unit = (self.random(n) & _U24).astype(np.float32) * np.float32(2.0**-24)
        low, high = np.float32(low), np.float32(high)
        # Product and sum are exact or nearly so in double: rounding once afterwards is what fma does.
        return (unit.astype(np.float64) * np.float64(high - low) + np.float64(low)).astype(np.float32)

    def uniform_double(self, n):
        return (self.random64(n) & _U53).astype(np.float64) * 2.0**-53

    def exponential(self, n, rate=1.0):
        return (-1.0 / rate * np.log1p(-self.uniform_double(n))).astype(np.float32)

    def normal(self, n, mean=0.0, std=1.0):
        if n < 16:
            z = np.array([self._one_normal() for _ in range(n)])
            return (z * std + mean).astype(np.float32)
        values = self.uniform(n)
        for start in range(0, n - 15, 16):
            values[start : start + 16] = _box_muller(values[start : start + 16], mean, std)
        if n % 16 != 0:
            values[n - 16 :] = _box_muller(self.uniform(16), mean, std)
        return values

    def _one_normal(self):
        if self._kept_normal is not None:
            z, self._kept_normal = self._kept_normal, None
            return z
        u1, u2 = self.uniform_double(2)
        radius, theta = np.sqrt(-2.0 * np.log1p(-u2)), 2.0 * np.pi * u1
        self._kept_normal = radius * np.sin(theta)
        return radius * np.cos(theta)

    def multinomial(self, probabilities):
        q = self.exponential(probabilities.size).reshape(probabilities.shape)
        return np.argmax(probabilities / q, axis=-1)


def _box_muller(u, mean, std):
    """16 uniforms in [0, 1) to 16 normals, all in float32."""
    radius = np.sqrt(np.float32(-2.0) * np.log(np.float32(1.0) - u[:8]))
    theta = np.float32(2.0 * np.pi) * u[8:]
    z = np.concatenate([radius * np.cos(theta), radius * np.sin(theta)])
    return z * np.float32(std) + np.float32(mean)


def replay(draw, generator):
    """The values of one entry of rng.json, drawn from `generator`."""
    op, size = draw["op"], draw["size"]
    if op == "multinomial":
        p = np.array(draw["probabilities"], dtype=np.float32).reshape(draw["rows"], draw["columns"])
        return generator.multinomial(p)
    if op == "exponential":
        return generator.exponential(size, draw["rate"])
    if op == "uniform":
        return generator.uniform(size, draw["low"], draw["high"])
    if op == "normal":
        return generator.normal(size, draw["mean"], draw["std"])
    raise ValueError(f"no such draw: {op}")


def largest_differences(golden):
    """{op: max |torch - ours|} over all streams of rng.json; normals are split by the algorithm they use."""
    worst = {}
    for stream in golden["streams"]:
        generator = Generator(stream["seed"])
        generator.random(stream["skip"])
        for draw in stream["draws"]:
            name = draw["op"] + ("" if draw["op"] != "normal" else "<16" if draw["size"] < 16 else ">=16")
            ours = replay(draw, generator).astype(np.float64)
            torchs = np.array(draw["values"], dtype=np.float32).astype(np.float64)
            difference = np.abs(ours - torchs).max()
            worst[name] = max(worst.get(name, 0.0), float(difference))
    return worst


if __name__ == "__main__":
    import json
    from pathlib import Path

    with open(Path(__file__).with_name("rng.json"), encoding="utf-8") as file:
        for name, difference in largest_differences(json.load(file)).items():
            print(f"{name:14} max |torch - reference| = {difference:.3g}")
