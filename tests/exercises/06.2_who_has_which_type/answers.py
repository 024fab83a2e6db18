import re

PRODUCTS, SUMS = {"linear", "matmul"}, {"softmax", "layer_norm", "cross_entropy", "embedding"}


def parse(line):
    """The value's name, the op and its inputs."""
    name, right = line.split(" = ")
    call = re.match(r"(\w+)\(", right)
    return name, call[1] if call else "+" if "+" in right else "*", re.findall(r"\b[a-z]\w*\b", right)


def answers(p):
    types, result = {}, {}
    for line, text in p.items():
        name, op, words = parse(text)
        inputs = [types[word] for word in words if word in types]
        if op in PRODUCTS:
            types[name] = "bf16"
        elif op in SUMS:
            types[name] = "float32"
        else:  # elementwise: float32 if any input is
            types[name] = "float32" if "float32" in inputs else "bf16"
        weights = ["float32"] if op in ("linear", "layer_norm") else []
        result[line] = [types[name], types[name]] + weights
    return {line: result[line] for line in list(p)[2:]}
