//@fails c_proj_not_transposed | your test passes a faulty version: attn.c_proj.weight is (C, C)
//@solution 02.3
//@end
//@solution 02.3 check
const Tensors file = file_of_zeros(/*n_layer=*/2, /*C=*/4, /*V=*/7, /*T=*/5);
return check_shapes(file, load_gpt2(file));
//@end
