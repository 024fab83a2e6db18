// Exercise 02.3: a test that tells a right loader from faulty ones.
#include <fmt/format.h>

#include "subject.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

// Whether the file stores this tensor as (in, out).
bool is_transposed(const std::string& name) {
  return name.find(".c_") != std::string::npos && name.ends_with(".weight");
}

// The shape that the model needs for a tensor of the file.
Shape model_shape(const std::string& name, const Shape& shape) {
  return is_transposed(name) ? Shape{shape[1], shape[0]} : shape;
}

// The usual test: all names are there, and all shapes are right. No mutant fails it.
std::string check_shapes(const Tensors& file, const Tensors& model) {
  if (model.size() != file.size() + 1) return fmt::format("{} parameters", model.size());
  for (const auto& [name, tensor] : file) {
    const auto found = model.find("transformer." + name);
    if (found == model.end()) return name + " is missing";
    if (found->second.shape() != model_shape(name, tensor.shape())) return name + " has a wrong shape";
  }
  return "";
}

//@solution 02.3
// Other values in every tensor, and other ones at every place of a tensor.
void number(Tensors& file) {
  float next = 1;
  for (auto& [name, tensor] : file) {
    std::vector<float> values(size_t(tensor.numel()));
    for (float& value : values) value = next++;
    tensor = from_vector(values, tensor.shape());
  }
}

std::string check_values(const std::string& name, const Tensor& given, const Tensor& loaded) {
  const std::vector<float> from = given.to_vector<float>(), to = loaded.to_vector<float>();
  const int64_t rows = loaded.size(0), cols = loaded.numel() / rows;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      const float expected = from[size_t(is_transposed(name) ? j * rows + i : i * cols + j)];
      if (to[size_t(i * cols + j)] != expected) return fmt::format("{}: wrong value at ({}, {})", name, i, j);
    }
  }
  return "";
}
//@stub
//@end

}  // namespace

std::string check_loader() {
  //@solution 02.3 check
  Tensors file = file_of_zeros(/*n_layer=*/3, /*C=*/4, /*V=*/7, /*T=*/5);
  number(file);
  const Tensors model = load_gpt2(file);
  std::string complaint = check_shapes(file, model);
  for (const auto& [name, tensor] : file)
    if (complaint.empty()) complaint = check_values(name, tensor, model.at("transformer." + name));
  if (complaint.empty())
    complaint = check_values("wte.weight", file.at("wte.weight"), model.at("lm_head.weight"));
  return complaint;
  //@stub
  //| const Tensors file = file_of_zeros(/*n_layer=*/2, /*C=*/4, /*V=*/7, /*T=*/5);
  //| const Tensors model = load_gpt2(file);
  //| // TODO(02.3): fill the file with values first, and compare values, not only shapes.
  //| COURSE_TODO("02.3");
  //| return check_shapes(file, model);
  //@end
}
