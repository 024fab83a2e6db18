//@fails large scores | overflows
//@solution 08.4 tile
(void)largest, (void)scores;
for (int64_t j = 0; j < tile.count; ++j) {
  const int64_t key = tile.first + j;
  if (key <= t - W || key > t) continue;
  const float p = std::exp(scale * std::inner_product(query, query + hs, tile.keys[size_t(j)], 0.0f));
  state.sum += p;
  for (size_t c = 0; c < hs; ++c) state.weighted[c] += p * tile.values[size_t(j)][c];
}
//@end
