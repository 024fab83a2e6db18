//@fails number of products | treat the heads as a dimension of the batch
//@solution W6
const std::vector<Tensor> outputs = heads_one_by_one(x, weights);
std::vector<float> y(size_t(B* T* nh* hs));
for (int64_t h = 0; h < nh; ++h) {
  const std::vector<float> of_head = outputs[size_t(h)].to_vector<float>();
  for (size_t i = 0; i < of_head.size(); ++i)
    y[(i / size_t(hs) * size_t(nh) + size_t(h)) * size_t(hs) + i % size_t(hs)] = of_head[i];
}
return from_vector(y, {B, T, nh* hs});
//@end
