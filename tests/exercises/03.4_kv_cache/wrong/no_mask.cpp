//@fails one position at a time | differ from those of a model without a cache
//@solution 03.4 attention
slot.k = joined(slot.k, k);
slot.v = joined(slot.v, v);
Tensor att = matmul(q, slot.k.transpose(-2, -1)) / std::sqrt(double(hs));
Tensor y = matmul(softmax(att), slot.v);
//@end
