def parameters(draw):
    dtype = draw.choice(["bf16", "float32"])
    twos = draw.choice([1, 2, 4] if dtype == "bf16" else [1, 2])
    tile = draw.choice([128, 192, 256])
    while True:
        V = twos * (2 * draw.randint(15000 // twos, 30000 // twos) + 1)
        if 1 <= V % 128 <= 100 and V % tile <= tile - 24:  # so that each mistake gives another number
            return {"vocab_size": V, "dtype": dtype, "row": 2 * draw.randint(40, 4000) + 1, "tile": tile}
