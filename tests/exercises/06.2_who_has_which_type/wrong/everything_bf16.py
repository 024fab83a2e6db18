"""autocast does not cast everything: softmax, layer_norm and the loss sum many numbers and stay float32."""


def answers(p):
    given = {line: text for line, text in list(p.items())[2:]}
    found = {}
    for line, text in given.items():
        if "layer_norm" in text:
            found[line] = ["bf16", "bf16", "float32"]
        elif "softmax" in text or "cross_entropy" in text:
            found[line] = ["bf16", "bf16"]
    return found
