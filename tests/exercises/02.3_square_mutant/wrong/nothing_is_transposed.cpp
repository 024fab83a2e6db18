//@fails right version | your test fails the right version: h.0.attn.c_attn.weight has wrong values
//@solution 02.3
void number(Tensors& file) {
  float next = 1;
  for (auto& [name, tensor] : file) {
    std::vector<float> values(size_t(tensor.numel()));
    for (float& value : values) value = next++;
    tensor = from_vector(values, tensor.shape());
  }
}

std::string check_values(const std::string& name, const Tensor& given, const Tensor& loaded) {
  return given.to_vector<float>() == loaded.to_vector<float>() ? "" : name + " has wrong values";
}
//@end
