//@fails weight decay | this is L2 regularisation
//@solution 10.2 step
for (int64_t i = 0; i < n; ++i) {
  const auto gradient = float(g[i] + (i < decayed ? options.weight_decay : 0) * w[i]);
  w[i] -= lr * sign(beta1 * m[i] + rate1 * gradient);
  m[i] = beta2 * m[i] + rate2 * gradient;
}
//@end
