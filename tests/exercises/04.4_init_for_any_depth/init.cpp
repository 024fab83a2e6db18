// Exercise 04.4: initial weights with which a stream of any depth keeps its size.
#include <cmath>

#include "stack.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

void Stack::init_weights(nn::Module& module) {
  //@solution 04.4
  constexpr double kBranches = 3;  // of a block
  if (auto* linear = dynamic_cast<nn::Linear*>(&module); linear != nullptr && linear != &lm_head) {
    const double keeps_size = 1 / std::sqrt(double(linear->weight.size(1)));
    const double share = linear->name() == "out" ? 1 / std::sqrt(kBranches * double(n_layer)) : 1;
    nn::init::normal_(linear->weight, 0, keeps_size * share);
    nn::init::constant_(linear->bias, 0);
  } else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
    nn::init::normal_(embedding->weight, 0, 1);
  }
  //@stub
  //| // TODO(04.4): dynamic_cast tells which kind of layer `module` is. The head keeps what it has.
  //| COURSE_TODO("04.4");
  //@end
}
