#include "score.h"

#include <sstream>

#include "common/tales/endings.h"
#include "tests/exercises/tensors.h"

namespace {

// ---- a model: the logits of the next token are a row of a table (V, V)

struct Model {
  std::vector<float> table;
  int64_t V;
};

// Words of a text as ids; a word's id is a digest of its letters, so some words share an id.
Ids words(const std::string& text, int64_t V) {
  Ids ids;
  std::istringstream in(text);
  for (std::string word; in >> word;) {
    uint32_t digest = 2166136261;
    for (const char c : word) digest = (digest ^ uint8_t(c)) * 16777619;
    ids.push_back(int32_t(digest % uint64_t(V)));
  }
  return ids;
}

Model random_model(Draw& draw, int64_t V) { return {draw.normal(V * V, 0, 2), V}; }

// Learned from tales: log(count + 0.1), and some noise.
Model tales_model(Draw& draw, int64_t V) {
  Model model{draw.normal(V * V, 0, 0.3), V};
  const Ids ids = words(tales(50'000, uint64_t(draw.integer(1, 1'000'000))), V);
  Values count(model.table.size(), 0.1);
  for (size_t i = 1; i < ids.size(); ++i) ++count[size_t(ids[i - 1] * V + ids[i])];
  for (size_t i = 0; i < count.size(); ++i) model.table[i] += float(std::log(count[i]));
  return model;
}

// ---- items

Item random_item(Draw& draw, int64_t V, int64_t context, int64_t longest_ending) {
  Item item{draw.ids(context, V), {}, {}, int(draw.integer(0, 3))};
  for (size_t e = 0; e < 4; ++e) {
    const int64_t n = draw.integer(1, longest_ending);
    item.endings[e] = draw.ids(n, V);
    item.bytes[e] = n * draw.integer(2, 7);
  }
  return item;
}

std::vector<Item> tale_items(Draw& draw, int64_t count, int64_t V) {
  gpt2::Endings endings(uint64_t(draw.integer(1, 1'000'000)));
  std::vector<Item> items;
  for (int64_t i = 0; i < count; ++i) {
    const gpt2::Ending tale = endings.next();
    Item item{words(tale.context, V), {}, {}, tale.label};
    for (size_t e = 0; e < 4; ++e) {
      item.endings[e] = words(tale.endings[e], V);
      item.bytes[e] = int64_t(tale.endings[e].size());
    }
    items.push_back(item);
  }
  return items;
}

Ids row_of(const Item& item, size_t e) {
  Ids row = item.context;
  row.insert(row.end(), item.endings[e].begin(), item.endings[e].end());
  return row;
}

// (4, T, V): the rows of the table that belong to the ids, and to id 0 for the padding.
Tensor logits_of(const Model& model, const Item& item) {
  size_t T = 0;
  for (size_t e = 0; e < 4; ++e) T = std::max(T, row_of(item, e).size());
  std::vector<float> logits;
  for (size_t e = 0; e < 4; ++e) {
    Ids row = row_of(item, e);
    row.resize(T);
    for (const int32_t id : row) {
      const auto at = model.table.begin() + id * model.V;
      logits.insert(logits.end(), at, at + model.V);
    }
  }
  return from_vector(logits, {4, int64_t(T), model.V});
}

std::pair<std::vector<ItemLosses>, Accuracy> student_scores(const Model& model,
                                                            const std::vector<Item>& items) {
  std::vector<ItemLosses> losses;
  for (const Item& item : items) losses.push_back(ending_losses(item, logits_of(model, item)));
  return {losses, accuracy(items, losses)};
}

// ---- the oracle: the loss of a text without that of its beginning

double token_loss(const Model& model, int32_t before, int32_t token) {
  double sum = 0;
  for (int64_t j = 0; j < model.V; ++j) sum += std::exp(double(model.table[size_t(before * model.V + j)]));
  return std::log(sum) - double(model.table[size_t(before * model.V + token)]);
}

double text_loss(const Model& model, const Ids& ids) {
  double sum = 0;
  for (size_t i = 1; i < ids.size(); ++i) sum += token_loss(model, ids[i - 1], ids[i]);
  return sum;
}

double oracle(const Model& model, const Item& item, size_t e) {
  return text_loss(model, row_of(item, e)) - text_loss(model, item.context);
}

ItemLosses oracle(const Model& model, const Item& item) {
  ItemLosses losses{};
  for (size_t e = 0; e < 4; ++e) {
    const double sum = oracle(model, item, e);
    losses[e] = {sum, sum / double(item.endings[e].size()), sum / double(item.bytes[e])};
  }
  return losses;
}

// Token i predicted from the logits at its own position.
double not_shifted(const Model& model, const Item& item, size_t e) {
  double sum = 0;
  for (const int32_t id : item.endings[e]) sum += token_loss(model, id, id);
  return sum;
}

double without_first_token(const Model& model, const Item& item, size_t e) {
  return text_loss(model, item.endings[e]);
}

bool is(double loss, double wrong, double right) {
  return close(loss, wrong, 1e-5) && !close(wrong, right, 1e-4);
}

void check_ending(const EndingLoss& loss, const Model& model, const Item& item, size_t e) {
  const double right = oracle(model, item, e), n = double(item.endings[e].size());
  WITH("ending {}: {} tokens of context, {} of ending", e, item.context.size(), n);
  CHECK(!is(loss.sum, text_loss(model, row_of(item, e)), right),
        "this is the loss of the whole text: the context is the same for all endings, and must not count");
  CHECK(!is(loss.sum, not_shifted(model, item, e), right),
        "each token is compared with the logits at its own position: the logits at a position are for the "
        "token after it");
  CHECK(!is(loss.sum, without_first_token(model, item, e), right),
        "the ending's first token is missing: it is predicted at the context's last position");
  CHECK_CLOSE(loss.sum, right, 1e-5, "the sum of the losses of the ending's tokens is wrong");
  CHECK(!is(loss.per_token, right / (n + double(item.context.size())), right / n),
        "the loss per token is divided by the length of the whole row: the context does not count");
  CHECK_CLOSE(loss.per_token, right / n, 1e-5, "the loss per token is wrong");
  CHECK_CLOSE(loss.per_byte, right / double(item.bytes[e]), 1e-5, "the loss per byte is wrong");
}

void check_item(const ItemLosses& losses, const Model& model, const Item& item) {
  for (size_t e = 0; e < 4; ++e) check_ending(losses[e], model, item, e);
}

// The shares of items whose right ending is first in the order of f(loss): as many are smaller as `rank`.
template <class Loss>
double share(const std::vector<Item>& items, const std::vector<ItemLosses>& losses, const Loss& loss,
             int rank = 0) {
  double right = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    int smaller = 0;
    for (const EndingLoss& other : losses[i])
      smaller += loss(other) < loss(losses[i][size_t(items[i].label)]);
    right += smaller == rank;
  }
  return right / double(items.size());
}

double by_sum(const EndingLoss& loss) { return loss.sum; }
double by_token(const EndingLoss& loss) { return loss.per_token; }
double by_byte(const EndingLoss& loss) { return loss.per_byte; }

void check_accuracy(const Accuracy& shares, const std::vector<Item>& items,
                    const std::vector<ItemLosses>& losses) {
  CHECK(shares.acc <= 1 && shares.acc_norm <= 1, "acc is {}: it is a share, at most 1", shares.acc);
  const double largest = share(items, losses, by_sum, 3);
  CHECK(!is(shares.acc, largest, share(items, losses, by_sum)),
        "you choose the ending with the largest loss: the model expects the one with the smallest");
  CHECK_CLOSE(shares.acc, share(items, losses, by_sum), 1e-9, "acc, by the sum, is wrong");
  CHECK_CLOSE(shares.acc_norm, share(items, losses, by_token), 1e-9,
              "acc_norm, by the loss per token, is wrong");
  CHECK_CLOSE(shares.acc_bytes, share(items, losses, by_byte), 1e-9,
              "acc_bytes, by the loss per byte, is wrong");
}

}  // namespace

CASE("losses of an item") {
  for (const int64_t context : {int64_t{1}, draw.integer(5, 12)}) {
    const Model model = random_model(draw, draw.integer(20, 50));
    const Item item = random_item(draw, model.V, context, 9);
    const auto losses = STUDENT(ending_losses(item, logits_of(model, item)));
    check_item(losses, model, item);
  }
}

CASE("long contexts") {
  const Model model = random_model(draw, draw.integer(20, 50));
  const int64_t context = draw.integer(150, 300);
  Item item = random_item(draw, model.V, context, 20);
  item.endings[size_t(draw.integer(0, 3))] = draw.ids(1, model.V);
  const auto losses = STUDENT(ending_losses(item, logits_of(model, item)));
  check_item(losses, model, item);
}

CASE("choices") {
  std::vector<Item> items;
  std::vector<ItemLosses> losses;
  for (int64_t i = draw.integer(30, 60); i > 0; --i) {
    items.push_back(random_item(draw, 20, 3, 9));
    ItemLosses each{};
    for (EndingLoss& loss : each) {
      loss.sum = draw.number(1, 20);
      loss.per_token = draw.number(1, 4);
      loss.per_byte = draw.number(0.2, 1);
    }
    losses.push_back(each);
  }
  WITH("{} items with losses drawn at random", items.size());
  const auto shares = STUDENT(accuracy(items, losses));
  check_accuracy(shares, items, losses);
}

CASE("a hundred tales") {
  const int64_t V = draw.integer(80, 120);
  const Model model = tales_model(draw, V);
  const std::vector<Item> items = tale_items(draw, 100, V);
  const auto [losses, shares] = STUDENT(student_scores(model, items));
  for (size_t i = 0; i < items.size(); ++i) {
    const ItemLosses expected = oracle(model, items[i]);
    for (size_t e = 0; e < 4; ++e) {
      WITH("tale {}, ending {}", i, e);
      CHECK_CLOSE(losses[i][e].sum, expected[e].sum, 1e-5, "the sum of the losses is wrong");
      CHECK_CLOSE(losses[i][e].per_token, expected[e].per_token, 1e-5, "the loss per token is wrong");
      CHECK_CLOSE(losses[i][e].per_byte, expected[e].per_byte, 1e-5, "the loss per byte is wrong");
    }
  }
  WITH("100 tales");
  check_accuracy(shares, items, losses);
}
