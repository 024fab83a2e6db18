//@fails many heads | can only split the last dimension
//@solution W6
const Tensor q = linear(x, weights.query, {}).view({B, nh, T, hs});
const Tensor k = linear(x, weights.key, {}).view({B, nh, T, hs});
const Tensor v = linear(x, weights.value, {}).view({B, nh, T, hs});
const Tensor att = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(hs));
return matmul(softmax(causal_mask(att)), v).transpose(1, 2).contiguous().view({B, T, nh* hs});
//@end
