#include "common/eval/hellaswag.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>
#include <tuple>

#include "common/tales/endings.h"
#include "paths.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

const std::string kLine =
    R"({"ind": 4, "ctx": "A man is", "label": 2, "endings": ["on a roof.", "a fish.", "asleep.", "tall."]})";

TEST(HellaSwagFile, AnItemIsAContextFourEndingsAndALabel) {
  const auto items = parse_hellaswag(kLine + "\n" + kLine + "\n", "file");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[1].context, "A man is");
  EXPECT_EQ(items[1].endings, (std::array<std::string, 4>{"on a roof.", "a fish.", "asleep.", "tall."}));
  EXPECT_EQ(items[1].label, 2);
  EXPECT_EQ(parse_hellaswag(kLine, "file").size(), 1u);  // no line break at the end
  for (const std::string& windows : {"\xEF\xBB\xBF" + kLine + "\r\n", kLine + "\r\n\r\n", kLine + "\n\n"})
    EXPECT_EQ(parse_hellaswag(windows, "file").size(), 1u) << windows;
}

TEST(HellaSwagFile, AWrongLineIsNamedWithItsFile) {
  const auto refused = [](const std::string& line, const std::string& message) {
    EXPECT_ERROR(parse_hellaswag(kLine + "\n" + line + "\n" + kLine, "a.jsonl"),
                 "a.jsonl, line 2: " + message);
  };
  refused("hello", "not valid JSON");
  refused(kLine.substr(0, 40), "not valid JSON");
  refused("[]", "not an item of HellaSwag");
  refused("{}", "not an item of HellaSwag");
  refused(R"({"ctx": "a", "label": 0, "endings": ["a", "b", "c"]})", "3 endings; an item of HellaSwag has 4");
  refused(R"({"ctx": "a", "label": 0, "endings": ["a", "b", "c", "d", "e"]})", "5 endings; an item");
  refused(R"({"ctx": "a", "label": 0, "endings": "abcd"})", "0 endings; an item");
  refused(R"({"ctx": "a", "label": 4, "endings": ["a", "b", "c", "d"]})", "its label is not 0, 1, 2 or 3");
  refused(R"({"ctx": "a", "label": -1, "endings": ["a", "b", "c", "d"]})", "its label is not 0, 1, 2 or 3");
  for (const char* label :
       {"1.5", "\"4\"", "\"-1\"", "\"01\"", "\" 1\"", "\"one\"", "\"1.5\"", "true", "null", "[1]"}) {
    refused(fmt::format(R"({{"ctx": "a", "label": {}, "endings": ["a", "b", "c", "d"]}})", label),
            "its label is not 0, 1, 2 or 3");
  }
  refused(R"({"ctx": "a", "label": "", "endings": ["a", "b", "c", "d"]})",
          "its label is empty, as in HellaSwag's test set; give the validation set");
  refused(R"({"ctx": 7, "label": 0, "endings": ["a", "b", "c", "d"]})", "ctx is not a text");
  refused(R"({"ctx": "", "label": 0, "endings": ["a", "b", "c", "d"]})", "ctx is not a text");
  refused(R"({"ctx": "a", "label": 0, "endings": ["a", "b", "", "d"]})", "an ending is not a text");
  EXPECT_ERROR(parse_hellaswag("", "a.jsonl"), "a.jsonl: the file is empty");
}

// The ways in which people have the file: `datasets`, pandas and json.dump export it, Windows touches it.
TEST(HellaSwagFile, IsReadAsPeopleHaveIt) {
  const std::string head =
      R"({"ctx": "A man is", "endings": ["on a roof.", "a fish.", "asleep.", "tall."], "label": )";
  const std::string text = head + "\"2\"}", number = head + "2}", real = head + "2.0}";
  for (const std::string& file :
       {number + "\n" + number, text + "\n" + text + "\n", real + "\n" + text,
        number + "\r\n" + number + "\r\n", "\xef\xbb\xbf" + text + "\n" + text, text + "\n\n" + text + "\n\n",
        "[" + text + ",\n " + number + "]\n", "\n [" + text + "," + text + "]"}) {
    const auto items = parse_hellaswag(file, "file");
    ASSERT_EQ(items.size(), 2u) << file;
    for (const HellaSwagItem& item : items) {
      EXPECT_EQ(item.label, 2) << file;
      EXPECT_EQ(item.context, "A man is");
      EXPECT_EQ(item.endings[3], "tall.");
    }
  }
  EXPECT_ERROR(parse_hellaswag("[" + text + ", {}]", "a.json"), "a.json, item 2: not an item of HellaSwag");
  EXPECT_ERROR(parse_hellaswag("[" + text, "a.json"), "a.json: not valid JSON (line 1");
  EXPECT_ERROR(parse_hellaswag("[]", "a.json"), "a.json: the file is empty");
  EXPECT_ERROR(parse_hellaswag("\n \n", "a.jsonl"), "a.jsonl: the file is empty");
  EXPECT_ERROR(parse_hellaswag("PAR1", "a.parquet"),
               "a.parquet: a Parquet table; make JSON Lines of it with: ");
}

// llm.c's file of these items, after write_evalfile in its data_common.py.
std::string written_by_llmc(const std::vector<HellaSwagTokens>& items) {
  std::vector<uint16_t> stream;
  size_t longest = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    std::vector<uint16_t> item = {65535, 0, uint16_t(i), uint16_t(items[i].label), 4};
    const auto add = [&](const std::vector<int32_t>& ids) {
      item.push_back(uint16_t(ids.size()));
      item.insert(item.end(), ids.begin(), ids.end());
    };
    add(items[i].context);
    for (const auto& ending : items[i].endings) add(ending);
    item[1] = uint16_t(2 * item.size());
    longest = std::max(longest, 2 * item.size());
    stream.insert(stream.end(), item.begin(), item.end());
  }
  const std::array<int32_t, 256> header{20240522, 1, int32_t(items.size()), int32_t(longest)};
  std::string file(reinterpret_cast<const char*>(header.data()), sizeof header);
  return file.append(reinterpret_cast<const char*>(stream.data()), 2 * stream.size());
}

const std::vector<HellaSwagTokens> kTokens = {{{7, 50256}, {{{1}, {2, 3}, {4}, {5, 6, 7}}}, 3},
                                              {{9}, {{{8}, {8}, {8, 8}, {0}}}, 0}};

TEST(HellaSwagOfLlmc, HasTheItemsAsTokens) {
  const std::string file = written_by_llmc(kTokens);
  EXPECT_TRUE(is_llmc_hellaswag(as_bytes(file)));
  EXPECT_FALSE(is_llmc_hellaswag(as_bytes(kLine)));
  EXPECT_FALSE(is_llmc_hellaswag(as_bytes("x")));
  const auto items = parse_llmc_hellaswag(as_bytes(file), 50257, "a.bin");
  ASSERT_EQ(items.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(items[i].context, kTokens[i].context);
    EXPECT_EQ(items[i].endings, kTokens[i].endings);
    EXPECT_EQ(items[i].label, kTokens[i].label);
  }
}

TEST(HellaSwagOfLlmc, ABadFileIsOneLineThatSaysWhy) {
  const std::string good = written_by_llmc(kTokens);
  // The file with another uint16; `at` counts from the end of the header.
  const auto with = [&](size_t at, uint16_t value) {
    std::string file = good;
    std::memcpy(&file[1024 + 2 * at], &value, sizeof value);
    return file;
  };
  const auto with_header = [&](size_t at, int32_t value) {
    std::string file = good;
    std::memcpy(&file[4 * at], &value, sizeof value);
    return file;
  };
  for (const auto& [file, expected] : std::vector<std::pair<std::string, std::string>>{
           {good.substr(0, 1023), "the file ends within its header"},
           {with_header(1, 2), "begin with 20240522 and version 1"},
           {with_header(2, 0), "its header says 0 items"},
           {with_header(2, 3), "the file ends within item 2"},
           {with_header(2, 1), "more bytes follow the 1 items"},
           {with_header(2, INT32_MAX), "the file ends within item 2"},
           {good.substr(0, good.size() - 1), "the file ends within item 1"},
           {good.substr(0, 1024), "the file ends within item 0"},
           {good + "x", "more bytes follow"},
           {with(0, 1), "the beginning of item 0 is 1, not 65535"},
           {with(1, 4), "item 0 says that it has 4 bytes, but it has 38"},
           {with(2, 1), "the number of item 0 is 1, not 0"},
           {with(3, 4), "the label of item 0 is 4, not 0, 1, 2 or 3"},
           {with(4, 5), "the number of endings of item 0 is 5, not 4"},
           {with(5, 0), "an empty context in item 0"},
           {with(5, 65535), "token 65535 in item 0 is outside the vocabulary"},
           {with(6, 50257), "token 50257 in item 0 is outside the vocabulary (50257)"},
           {with(8, 0), "an empty ending in item 0"}}) {
    const std::string error = error_of([&] { parse_llmc_hellaswag(as_bytes(file), 50257, "a.bin"); });
    EXPECT_EQ(error.find("a.bin: "), 0u) << error;
    EXPECT_NE(error.find(expected), std::string::npos) << error << "\n  expected: " << expected;
  }
}

TEST(HellaSwagOfLlmc, NeedsGpt2sTokenizer) {
  const TempDir dir;
  put_file(dir / "a.bin", written_by_llmc(kTokens));
  EXPECT_ERROR(HellaSwag(dir / "a.bin", *make_tokenizer("byte", ""), 1024),
               "llm.c's items are GPT-2's token ids, but the tokenizer has 257 ids");
}

// Beside the text, with a tokenizer of GPT-2's size.
TEST(HellaSwagOfLlmc, GivesTheRowsOfTheText) {
  const std::string folder = GPT2_SOURCE_DIR "/data/gpt2";
  if (!has_tokenizer(folder)) GTEST_SKIP() << "./course data gpt2 fetches the tokenizer";
  const TempDir dir;
  const auto tokenizer = make_tokenizer(folder, "");
  std::string lines;
  std::vector<HellaSwagTokens> items;
  Endings endings(7);
  for (int i = 0; i < 9; ++i) {
    lines += to_json(endings.next(), uint64_t(i)) + "\n";
    const HellaSwagItem item = parse_hellaswag(lines, "").back();
    items.push_back({tokenizer->encode(item.context), {}, item.label});
    for (size_t e = 0; e < 4; ++e) items.back().endings[e] = tokenizer->encode(" " + item.endings[e]);
  }
  put_file(dir / "a.jsonl", lines);
  put_file(dir / "a.bin", written_by_llmc(items));
  for (const auto& [rank, world, block_size] :
       std::vector<std::tuple<int, int, int>>{{0, 1, 1024}, {1, 2, 60}}) {
    const HellaSwag text(dir / "a.jsonl", *tokenizer, block_size, rank, world),
        bin(dir / "a.bin", *tokenizer, block_size, rank, world);
    EXPECT_EQ(bin.num_items(), text.num_items());
    EXPECT_EQ(bin.truncated(), text.truncated());
    EXPECT_EQ(bin.skipped(), text.skipped());
    const auto expected = text.batches(1 << 20), found = bin.batches(1 << 20);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_EQ(found[i].tokens(kCpu).to_vector<int32_t>(), expected[i].tokens(kCpu).to_vector<int32_t>());
  }
}

// A model whose prediction depends on the last `memory` ids alone, made of a hash: any logits, but the same
// ones wherever the text stands. Vp columns, of which those beyond V are large: they must not count.
constexpr int64_t kV = 257, kVp = 384;

float logit(std::span<const int32_t> before, int64_t column, size_t memory) {
  if (column >= kV) return 50;
  uint64_t hash = 1469598103934665603u + uint64_t(column);
  for (size_t i = before.size() - std::min(memory, before.size()); i < before.size(); ++i)
    hash = (hash ^ uint64_t(before[i])) * 1099511628211u;
  return float((hash >> 20) % 10'000) / 1000 - 5;
}

Tensor hash_model(const Tensor& ids, size_t memory, DType dtype = DType::f32) {
  const auto [rows, T] = ids.sizes<2>();
  const std::vector<int32_t> all = ids.to_vector<int32_t>();
  std::vector<float> logits(size_t(rows * T * kVp));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t t = 0; t < T; ++t) {
      const auto before = std::span(all).subspan(size_t(r * T), size_t(t + 1));
      for (int64_t j = 0; j < kVp; ++j) logits[size_t((r * T + t) * kVp + j)] = logit(before, j, memory);
    }
  }
  return from_vector(logits, {rows, T, kVp}, ids.device()).to(dtype);
}

// The video's render_example and get_most_likely_row, one row at a time, in double.
HellaSwag::Prediction reference(const HellaSwagItem& item, int64_t number, const Tokenizer& tokenizer,
                                size_t memory) {
  std::array<double, 4> sums{}, means{};
  for (size_t e = 0; e < 4; ++e) {
    std::vector<int32_t> ids = tokenizer.encode(item.context);
    for (const int32_t id : tokenizer.encode(" " + item.endings[e])) {
      double total = 0;
      for (int64_t j = 0; j < kV; ++j) total += std::exp(double(logit(ids, j, memory)));
      sums[e] += std::log(total) - double(logit(ids, id, memory));
      ids.push_back(id);
    }
    means[e] = sums[e] / double(tokenizer.encode(" " + item.endings[e]).size());
  }
  const auto smallest = [](const auto& values) {
    return int(std::min_element(values.begin(), values.end()) - values.begin());
  };
  return {number, item.label, smallest(sums), smallest(means)};
}

bool operator==(const HellaSwag::Prediction& a, const HellaSwag::Prediction& b) {
  return std::tie(a.item, a.label, a.by_sum, a.by_mean) == std::tie(b.item, b.label, b.by_sum, b.by_mean);
}

// The predictions for all items, in the file's order.
template <class Model>
std::vector<HellaSwag::Prediction> predict(const HellaSwag& hellaswag, const Model& model, int64_t max_tokens,
                                           Device device) {
  const NoGrad no_grad;
  std::vector<HellaSwag::Prediction> all;
  for (const HellaSwag::Batch& batch : hellaswag.batches(max_tokens)) {
    EXPECT_TRUE(batch.items.size() == 1 || 4 * int64_t(batch.items.size()) * batch.T <= max_tokens);
    const auto found = batch.predictions(model(batch.tokens(device)), kV);
    all.insert(all.end(), found.begin(), found.end());
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.item < b.item; });
  return all;
}

class HellaSwagTest : public OnEveryDevice {
 protected:
  // A file of endings of the tales.
  std::string put_items(int n) {
    std::string lines;
    Endings endings(7);
    for (int i = 0; i < n; ++i) lines += to_json(endings.next(), uint64_t(i)) + "\n";
    put_file(dir_ / "items.jsonl", lines);
    return dir_ / "items.jsonl";
  }
  TempDir dir_;
  std::unique_ptr<Tokenizer> tokenizer_ = make_tokenizer("byte", "");
};

TEST_P(HellaSwagTest, PicksTheEndingThatSurprisesLeast) {
  const std::string path = put_items(12);
  const auto items = parse_hellaswag(file_bytes(path), path);
  for (const int64_t max_tokens : {1, 10'000, 1'000'000}) {
    const HellaSwag hellaswag(path, *tokenizer_, 2048);
    const auto found = predict(
        hellaswag, [](const Tensor& ids) { return hash_model(ids, 3); }, max_tokens, device());
    ASSERT_EQ(found.size(), items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      const auto expected = reference(items[i], int64_t(i), *tokenizer_, 3);
      EXPECT_TRUE(found[i] == expected) << "item " << i << ", " << max_tokens << " tokens";
    }
    EXPECT_EQ(hellaswag.truncated(), 0);
  }
}

TEST_P(HellaSwagTest, ReadsLogitsInBf16) {
  const HellaSwag hellaswag(put_items(2), *tokenizer_, 2048);
  const auto model = [](DType dtype) {
    return [dtype](const Tensor& ids) { return hash_model(ids, 3, DType::bf16).to(dtype); };
  };
  const auto bf16 = predict(hellaswag, model(DType::bf16), 4096, device()),
             f32 = predict(hellaswag, model(DType::f32), 4096, device());
  ASSERT_EQ(bf16.size(), 2u);
  for (size_t i = 0; i < bf16.size(); ++i) EXPECT_TRUE(bf16[i] == f32[i]);
}

INSTANTIATE_ON_EVERY_DEVICE(HellaSwagTest);

class HellaSwagOnHost : public HellaSwagTest {};
INSTANTIATE_TEST_SUITE_P(On, HellaSwagOnHost, ::testing::Values(kCpu), device_name);

TEST_P(HellaSwagOnHost, TheRanksShareTheItems) {
  const std::string path = put_items(11);
  const auto model = [](const Tensor& ids) { return hash_model(ids, 3); };
  const auto whole = predict(HellaSwag(path, *tokenizer_, 2048), model, 4096, kCpu);
  ASSERT_EQ(whole.size(), 11u);
  for (const int world : {2, 3, 13}) {
    std::vector<HellaSwag::Prediction> all(11);
    size_t found = 0;
    for (int rank = 0; rank < world; ++rank) {
      for (const auto& prediction :
           predict(HellaSwag(path, *tokenizer_, 2048, rank, world), model, 4096, kCpu)) {
        EXPECT_EQ(prediction.item % world, rank);
        all[size_t(prediction.item)] = prediction;
        ++found;
      }
    }
    EXPECT_EQ(found, 11u);
    for (size_t i = 0; i < 11; ++i) EXPECT_TRUE(all[i] == whole[i]);
  }
}

// The model forgets all but the last three ids: what is cut from the context's beginning changes nothing.
TEST_P(HellaSwagOnHost, ALongContextLosesItsBeginningInAllFourRows) {
  const std::string path = put_items(8);
  const auto items = parse_hellaswag(file_bytes(path), path);
  int64_t longest = 0;
  for (const HellaSwagItem& item : items) {
    size_t ending = 0;
    for (const std::string& text : item.endings) ending = std::max(ending, 1 + text.size());
    longest = std::max(longest, int64_t(ending));
  }
  const int64_t block_size = longest + 3;
  const HellaSwag evaluation(path, *tokenizer_, block_size);
  EXPECT_GT(evaluation.truncated(), 0);
  EXPECT_EQ(evaluation.skipped(), 0);
  const auto model = [&](const Tensor& ids) {
    EXPECT_LE(ids.size(1), block_size);
    return hash_model(ids, 3);
  };
  const auto found = predict(evaluation, model, 1 << 20, kCpu);
  ASSERT_EQ(found.size(), items.size());
  for (size_t i = 0; i < items.size(); ++i)
    EXPECT_TRUE(found[i] == reference(items[i], int64_t(i), *tokenizer_, 3));
}

TEST_P(HellaSwagOnHost, AnEndingThatLeavesNoContextIsSkipped) {
  put_file(
      dir_ / "a.jsonl",
      kLine + "\n" +
          R"({"ctx": "Hi", "label": 0, "endings": ["a", "b", "as long as the block of the model", "c"]})" +
          "\n");
  const auto model = [](const Tensor& ids) { return hash_model(ids, 3); };
  HellaSwag evaluation(dir_ / "a.jsonl", *tokenizer_, 34);  // " as long ...": 34 bytes
  EXPECT_EQ(evaluation.skipped(), 1);
  EXPECT_EQ(predict(evaluation, model, 4096, kCpu).size(), 1u);
  HellaSwag longer(dir_ / "a.jsonl", *tokenizer_, 35);
  EXPECT_EQ(longer.skipped(), 0);
  EXPECT_EQ(longer.truncated(), 1);
  EXPECT_EQ(predict(longer, model, 4096, kCpu).size(), 2u);
}

TEST_P(HellaSwagOnHost, ALossThatIsNotFiniteIsAnError) {
  HellaSwag evaluation(put_items(2), *tokenizer_, 2048);
  const auto model = [](const Tensor& ids) {
    Tensor logits = hash_model(ids, 3);
    for (int64_t i = 0; i < logits.numel(); ++i) logits.data<float>()[i] = NAN;
    return logits;
  };
  EXPECT_ERROR(predict(evaluation, model, 4096, kCpu), "is not finite");
}

TEST(Endings, AreFourOfEqualRightToBeRight) {
  Endings endings;
  std::array<int, 4> labels{};
  std::set<std::string> contexts;
  double right = 0, wrong = 0, shortest = 0, longest = 0;
  constexpr int kItems = 2000;
  for (int i = 0; i < kItems; ++i) {
    const Ending ending = endings.next();
    ++labels[size_t(ending.label)];
    contexts.insert(ending.context);
    EXPECT_EQ(std::set<std::string>(ending.endings.begin(), ending.endings.end()).size(), 4u)
        << ending.context;
    const std::string& answer = ending.endings[size_t(ending.label)];
    int longer = 0, shorter = 0;
    for (const std::string& text : ending.endings) {
      longer += text.size() > answer.size();
      shorter += text.size() < answer.size();
    }
    shortest += longer == 3;
    longest += shorter == 3;
    for (const std::string& text : ending.endings) {
      EXPECT_FALSE(text.empty());
      for (const char* gap : {"  ", " .", " ,"}) EXPECT_EQ(text.find(gap), text.npos) << text;
      (&text == &answer ? right : wrong) += double(text.size());
    }
  }
  EXPECT_EQ(contexts.size(), size_t(kItems));
  for (const int count : labels) EXPECT_NEAR(count, kItems / 4, 80);  // four standard deviations
  EXPECT_NEAR(right / (wrong / 3), 1, 0.03);
  EXPECT_NEAR(shortest, kItems / 4, 80);  // length does not give the answer away
  EXPECT_NEAR(longest, kItems / 4, 80);
}

TEST(Endings, AreNoneOfTheStoriesThatAModelIsTrainedOn) {
  std::set<std::string> stories;
  Tales corpus;
  for (size_t bytes = 0; bytes < 4'000'000;) bytes += stories.insert(corpus.next_story()).first->size();
  Endings endings;
  for (int i = 0; i < 1000; ++i) {
    const Ending ending = endings.next();
    const std::string beginning = ending.context + " " + ending.endings[size_t(ending.label)];
    const auto next = stories.lower_bound(beginning);
    EXPECT_FALSE(next != stories.end() && next->starts_with(beginning)) << beginning;
  }
}

TEST(Endings, AreReadAsItemsOfHellaSwag) {
  std::string lines;
  Endings endings, same;
  for (int i = 0; i < 200; ++i) lines += to_json(endings.next(), uint64_t(i)) + "\n";
  const auto items = parse_hellaswag(lines, "tales");
  ASSERT_EQ(items.size(), 200u);
  for (const HellaSwagItem& item : items) {
    const Ending ending = same.next();
    EXPECT_EQ(item.context, ending.context);
    EXPECT_EQ(item.endings, ending.endings);
    EXPECT_EQ(item.label, ending.label);
  }
  EXPECT_NE(Endings(1).next().context, Endings(2).next().context);
}

}  // namespace
}  // namespace gpt2::testing
