import math


class View:
    """A tensor as shape, strides and offset into one row of memory."""

    def __init__(self, shape, strides=None, offset=0):
        self.shape, self.offset = list(shape), offset
        self.strides = strides or [math.prod(shape[i + 1:]) for i in range(len(shape))]

    def transpose(self, i, j):
        order = list(range(len(self.shape)))
        order[i], order[j] = order[j], order[i]
        return View([self.shape[n] for n in order], [self.strides[n] for n in order], self.offset)

    def slice(self, dim, start, length):
        shape = [length if n == dim else size for n, size in enumerate(self.shape)]
        return View(shape, self.strides, self.offset + start * self.strides[dim])

    def places(self):
        """The places of all elements, in the tensor's own order."""
        found = [self.offset]
        for size, stride in zip(self.shape, self.strides):
            found = [place + i * stride for place in found for i in range(size)]
        return found

    def view(self, shape):
        """The view, or None if no strides lead to all the elements in their order."""
        places, strides, step = self.places(), [], math.prod(self.shape)
        for size in shape:
            step //= size
            strides.append(places[step] - places[0] if size > 1 else 0)
        made = View(shape, strides, self.offset)
        return made if made.places() == places else None

    def answer(self):
        return [self.shape, self.strides, self.offset]


def tensors(p):
    """k and v of a packed (B, T, 3C) buffer, their heads kh and vh, and y, the result of the attention."""
    B, T, nh, hs = p["B"], p["T"], p["nh"], p["hs"]
    C = nh * hs
    qkv = View([B, T, 3 * C])
    k, v = qkv.slice(2, C, C), qkv.slice(2, 2 * C, C)
    return {"k": k, "v": v, "kh": k.view([B, T, nh, hs]).transpose(1, 2), "vh": v.view([B, T, nh, hs]).transpose(1, 2),
            "y": View([B, nh, T, hs])}


def needs_copy(p, call):
    names = {**tensors(p), "B": p["B"], "T": p["T"], "nh": p["nh"], "hs": p["hs"], "C": p["nh"] * p["hs"]}
    return eval(call.replace("{", "[").replace("}", "]"), names) is None


def answers(p):
    t = tensors(p)
    kh, vh = t["kh"], t["vh"]
    return {
        "a": t["v"].answer(),
        "b": kh.answer(),
        "c": kh.transpose(-2, -1).answer(),
        "d": vh.slice(1, p["head"], 1).answer(),
        "e": vh.slice(2, p["token"], 1).answer(),
        "f": t["y"].transpose(1, 2).answer(),
        "copies": [int(i) for i, call in p["calls"].items() if needs_copy(p, call)],
        "bytes": 4 * p["B"] * p["T"] * p["nh"] * p["hs"],
    }
