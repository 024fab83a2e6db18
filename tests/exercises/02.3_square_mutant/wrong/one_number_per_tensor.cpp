//@fails c_fc_reshaped | your test passes a faulty version: mlp.c_fc.weight gets the shape
//@solution 02.3
// The n-th tensor is full of n.
void number(Tensors& file) {
  float next = 1;
  for (auto& [name, tensor] : file) {
    const std::vector<float> values(size_t(tensor.numel()), next++);
    tensor = from_vector(values, tensor.shape());
  }
}

std::string check_values(const std::string& name, const Tensor& given, const Tensor& loaded) {
  return given.to_vector<float>() == loaded.to_vector<float>() ? "" : name + " has wrong values";
}
//@end
