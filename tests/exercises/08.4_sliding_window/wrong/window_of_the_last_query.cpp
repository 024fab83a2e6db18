//@fails windows | the first queries of a tile miss their oldest keys
//@solution 08.4 loop
const int64_t oldest = std::max<int64_t>(0, end - W);
for (int64_t first = oldest / kTile * kTile; first < end; first += kTile) {
  const Tile tile = load_tile(k, v, first);
  for (int64_t t = t0; t < end; ++t) add_tile(states[size_t(t - t0)], t, q.row(t), tile, W, scale);
}
//@end
