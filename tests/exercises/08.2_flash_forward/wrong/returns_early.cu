//@fails values | divergence:
//@solution 08.2 kernel
float query[kChannels], weighted[kChannels] = {};
const float scale = t < T ? scales[t] : 0;
for (int c = 0; c < kChannels; ++c) query[c] = t < T ? scale * q[t * kChannels + c] : 0;
if (t >= T) return;
float largest = -INFINITY, sum = 0;

// The keys that some query of the block sees end here.
const int64_t end = min(T, (blockIdx.x + 1) * int64_t{kQueries});
for (int64_t first = 0; first < end; first += kKeys) {
  __syncthreads();  // all have done with the tile before
  load_tile(keys, k, first, T);
  load_tile(values, v, first, T);
  __syncthreads();
  if (t >= T) continue;
  for (int j = 0; j < kKeys && first + j <= t; ++j) {
    const float score = dot(query, keys + j * kChannels);
    const float now = fmaxf(largest, score);
    const float correction = expf(largest - now), p = expf(score - now);
    sum = sum * correction + p;
    for (int c = 0; c < kChannels; c += N) {
      const Packed<float> value = load_packed(values + j * kChannels + c);
      for (int i = 0; i < N; ++i) weighted[c + i] = weighted[c + i] * correction + p * value[i];
    }
    largest = now;
  }
}
for (int c = 0; c < kChannels && t < T; ++c) y[t * kChannels + c] = weighted[c] / sum;
//@end
