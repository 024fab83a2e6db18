"""you counted in elements; addresses are counted in bytes, and an element has 2 (bf16) or 4 (float32) of them."""
from math import gcd


def answers(p):
    V, per_16_bytes = p["vocab_size"], 8 if p["dtype"] == "bf16" else 4
    found = {"aligned_share": gcd(V, 16) / 16, "row_offset": p["row"] * V % 16}
    if -(-V // 16) * 16 != -(-V // per_16_bytes) * per_16_bytes:
        found["columns_for_16_bytes"] = -(-V // 16) * 16
    return found
