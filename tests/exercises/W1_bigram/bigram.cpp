// Exercise W1: a language model that is one table.
#include "bigram.h"

#include "tests/exercises/todo.h"

using namespace gpt2;

Bigram::Bigram(int64_t vocab_size)
    //@solution W1 size
    : table(this, "table", vocab_size, vocab_size) {}
//@stub
//| // TODO(W1): how many rows, and how many columns?
//| : table(this, "table", COURSE_TODO("W1"), COURSE_TODO("W1")) {}
//@end

Tensor Bigram::operator()(const Tensor& ids) const {
  //@solution W1 logits
  return table(ids);
  //@stub
  //| // TODO(W1): the logits of what follows each id.
  //| return COURSE_TODO("W1");
  //@end
}

Tensor Bigram::loss(const Tensor& ids) const {
  //@solution W1 loss
  const int64_t pairs = ids.size(0) - 1;
  return cross_entropy((*this)(ids.slice(0, 0, pairs)), ids.slice(0, 1, pairs));
  //@stub
  //| // TODO(W1): cross_entropy of the logits (N - 1, V) against the ids that follow (N - 1).
  //| return COURSE_TODO("W1");
  //@end
}
