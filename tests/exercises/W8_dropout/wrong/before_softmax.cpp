//@fails three places | dropout comes after the softmax
//@solution W8 attention
const Tensor att = dropout(matmul(heads(q), heads(k).transpose(-2, -1)) * scale);
const Tensor y = matmul(softmax(causal_mask(att)), heads(v));
return dropout(proj(y.transpose(1, 2).contiguous().view({B, T, C})));
//@end
