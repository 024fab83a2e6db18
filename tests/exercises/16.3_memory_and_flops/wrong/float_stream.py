"""you counted 4 bytes for the residual stream; in chapter 16 it is bf16, like everything that a block keeps."""


def answers(p):
    bytes_of_row = p["n_layer"] * p["B"] * p["T"] * p["n_embd"]
    rows = {"none_gb": 18, "gelu_gb": 14, "layernorm_gb": 12, "block_gb": 3}
    return {name: 2 * n * bytes_of_row / 1e9 for name, n in rows.items()}
