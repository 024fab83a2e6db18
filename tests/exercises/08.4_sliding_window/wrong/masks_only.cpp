//@fails keys visited | a mask alone saves no time
//@solution 08.4 loop
for (int64_t first = 0; first < end; first += kTile) {
  const Tile tile = load_tile(k, v, first);
  for (int64_t t = t0; t < end; ++t) add_tile(states[size_t(t - t0)], t, q.row(t), tile, W, scale);
}
//@end
