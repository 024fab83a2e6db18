// Exercise 13.2: which of four endings does the model expect?
#include "score.h"

#include <algorithm>

#include "tests/exercises/todo.h"

using namespace gpt2;

ItemLosses ending_losses(const Item& item, const Tensor& logits) {
  ItemLosses losses{};
  for (size_t e = 0; e < 4; ++e) {
    const std::vector<int32_t>& ending = item.endings[e];
    //@solution 13.2 losses
    const auto n = int64_t(ending.size()), before = int64_t(item.context.size()) - 1;
    const Tensor predictions = logits.slice(0, int64_t(e), 1).slice(1, before, n);  // (1, n, V)
    const double mean = cross_entropy(predictions, from_vector(ending, {1, n})).item(),
                 sum = mean * double(n);
    losses[e] = {.sum = sum, .per_token = mean, .per_byte = sum / double(item.bytes[e])};
    //@stub
    //| // TODO(13.2): losses[e] = ...; the ending's tokens alone. slice(dim, start, length) cuts a tensor.
    //| COURSE_TODO("13.2");
    //@end
  }
  return losses;
}

//@solution 13.2 choice
namespace {

// Whether the right ending has the smallest of these losses.
bool is_right(const Item& item, const ItemLosses& losses, double EndingLoss::*loss) {
  const auto smaller = [=](const EndingLoss& a, const EndingLoss& b) { return a.*loss < b.*loss; };
  return std::min_element(losses.begin(), losses.end(), smaller) - losses.begin() == item.label;
}

}  // namespace

//@stub
//@end
Accuracy accuracy(const std::vector<Item>& items, const std::vector<ItemLosses>& losses) {
  Accuracy shares{};
  //@solution 13.2 accuracy
  const auto n = double(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    shares.acc += is_right(items[i], losses[i], &EndingLoss::sum) / n;
    shares.acc_norm += is_right(items[i], losses[i], &EndingLoss::per_token) / n;
    shares.acc_bytes += is_right(items[i], losses[i], &EndingLoss::per_byte) / n;
  }
  //@stub
  //| // TODO(13.2): three shares, of the items that are right by each of the three losses.
  //| COURSE_TODO("13.2");
  //@end
  return shares;
}
