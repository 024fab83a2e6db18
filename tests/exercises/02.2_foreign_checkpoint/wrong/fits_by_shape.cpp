//@fails matrices | its shape fits either way
//@solution 02.2 tensors
for (const auto& [name, tensor] : file) {
  const bool is_kqv = name.find("attention.kqv") != name.npos;
  const bool is_transposed = name.ends_with("mlp.up.weight");  // the only one that does not fit
  model[our_name(name)] = is_kqv          ? in_our_order(tensor, n_head)
                          : is_transposed ? tensor.transpose(0, 1).contiguous()
                                          : tensor;
}
model["lm_head.weight"] = model.at("transformer.wte.weight");
//@end
