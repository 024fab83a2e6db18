#include "subject.h"

using namespace gpt2;

Tensors file_of_zeros(int64_t n_layer, int64_t C, int64_t V, int64_t T) {
  Tensors file{{"wte.weight", zeros({V, C})},
               {"wpe.weight", zeros({T, C})},
               {"ln_f.weight", zeros({C})},
               {"ln_f.bias", zeros({C})}};
  const auto add_layer = [&](const std::string& name, int64_t in, int64_t out) {
    file[name + ".weight"] = zeros({in, out});
    file[name + ".bias"] = zeros({out});
  };
  for (int64_t layer = 0; layer < n_layer; ++layer) {
    const std::string block = "h." + std::to_string(layer) + ".";
    for (const std::string norm : {"ln_1", "ln_2"}) {
      file[block + norm + ".weight"] = zeros({C});
      file[block + norm + ".bias"] = zeros({C});
    }
    add_layer(block + "attn.c_attn", C, 3 * C);
    add_layer(block + "attn.c_proj", C, C);
    add_layer(block + "mlp.c_fc", C, 4 * C);
    add_layer(block + "mlp.c_proj", 4 * C, C);
  }
  return file;
}
