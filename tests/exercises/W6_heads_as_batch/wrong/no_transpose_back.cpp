//@fails many heads | side by side
//@solution W6
const auto split_heads = [&, B = B, T = T](const Tensor& y) {
  return y.view({B, T, nh, hs}).transpose(1, 2);
};
const Tensor q = split_heads(linear(x, weights.query, {}));
const Tensor k = split_heads(linear(x, weights.key, {}));
const Tensor v = split_heads(linear(x, weights.value, {}));
const Tensor att = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(hs));
return matmul(softmax(causal_mask(att)), v).contiguous().view({B, T, nh* hs});
//@end
