//@fails windows | -inf - -inf
//@solution 08.4 tile
for (int64_t j = 0; j < tile.count; ++j) {
  const int64_t key = tile.first + j;
  const bool seen = key > t - W && key <= t;
  scores[j] = seen ? scale * std::inner_product(query, query + hs, tile.keys[size_t(j)], 0.0f) : -INFINITY;
  largest = std::max(largest, scores[j]);
}
const float correction = std::exp(state.largest - largest);
state.largest = largest;
state.sum *= correction;
for (float& value : state.weighted) value *= correction;
for (int64_t j = 0; j < tile.count; ++j) {
  const float p = std::exp(scores[j] - largest);
  state.sum += p;
  for (size_t c = 0; c < hs; ++c) state.weighted[c] += p * tile.values[size_t(j)][c];
}
//@end
