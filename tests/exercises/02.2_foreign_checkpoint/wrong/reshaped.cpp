//@fails matrices | mlp.c_fc.weight has wrong values
//@solution 02.2 tensors
for (const auto& [name, tensor] : file) {
  const bool is_kqv = name.find("attention.kqv") != name.npos;
  model[our_name(name)] = is_kqv                                   ? in_our_order(tensor, n_head)
                          : name.ends_with("attention.out.weight") ? tensor.transpose(0, 1).contiguous()
                          : name.ends_with("mlp.up.weight") ? tensor.view({tensor.size(1), tensor.size(0)})
                                                            : tensor;
}
model["lm_head.weight"] = model.at("transformer.wte.weight");
//@end
