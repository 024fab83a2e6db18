"""this is less than the vocabulary: round up, or some tokens have no column."""


def answers(p):
    V, per_16_bytes = p["vocab_size"], 8 if p["dtype"] == "bf16" else 4
    return {"columns_for_16_bytes": V // per_16_bytes * per_16_bytes, "columns_for_tiles": V // p["tile"] * p["tile"]}
