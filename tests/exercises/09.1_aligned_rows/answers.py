BYTES = {"bf16": 2, "float32": 4}


def answers(p):
    V, size, tile = p["vocab_size"], BYTES[p["dtype"]], p["tile"]
    starts = [row * V * size % 16 for row in range(16)]  # after 16 rows it begins again
    return {
        "aligned_share": starts.count(0) / 16,
        "row_offset": p["row"] * V * size % 16,
        "columns_for_16_bytes": next(columns for columns in range(V, V + 16) if columns * size % 16 == 0),
        "columns_for_tiles": next(columns for columns in range(V, V + tile) if columns % tile == 0),
    }
