#include "common/app/options.h"
#include "common/app/inputs.h"
#include "common/app/resolve.h"

#include <new>

#include "common/app/program.h"
#include "paths.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

// What a program with these arguments gets as its flags.
template <class Flags>
void parse(Flags& flags, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  arguments.insert(arguments.begin(), "program");
  for (std::string& argument : arguments) argv.push_back(argument.data());
  app::CommandLine line("program", int(argv.size()), argv.data());
  flags.add_to(line);
  line.parse();
}

app::Options options(const std::vector<std::string>& arguments) {
  app::Options options;
  parse(options, arguments);
  return options;
}

TEST(Options, DefaultsAreThoseOfTheTinyModel) {
  const app::Options o = options({});
  EXPECT_EQ(o.device_name, "auto");
  EXPECT_EQ(o.model, "tiny");
  EXPECT_EQ(o.data, "tales");
  EXPECT_EQ(o.tokenizer, "");
  EXPECT_EQ(o.seed, 1337u);
  EXPECT_EQ(o.steps, 50);
  EXPECT_EQ(o.log, "");
}

TEST(RecipeOptions, ALearningRateThatWouldRiseIsRefused) {
  app::RecipeOptions o;
  EXPECT_ERROR(parse(o, {"--min-lr", "2e-4", "--max-lr", "1e-4"}), "--min-lr 0.0002: above --max-lr 0.0001");
  app::RecipeOptions with_default;
  EXPECT_ERROR(parse(with_default, {"--min-lr", "1e-3"}), "--min-lr 0.001: above --max-lr 0.0006");
  app::RecipeOptions equal;
  EXPECT_NO_THROW(parse(equal, {"--max-lr", "1e-4", "--min-lr", "1e-4"}));
  app::RecipeOptions lower;
  EXPECT_NO_THROW(parse(lower, {"--max-lr", "1e-4"}));
}

TEST(Options, EveryFlagIsRead) {
  const app::Options o =
      options({"--device", "cpu", "--model", "gpt2", "--data", "a file, with a comma", "--tokenizer", "char",
               "--seed", "7", "--steps", "3", "--batch", "2", "--seq", "9", "--log", "l"});
  EXPECT_EQ(o.device(), kCpu);
  EXPECT_EQ(o.model, "gpt2");
  EXPECT_EQ(o.data, "a file, with a comma");
  EXPECT_EQ(o.tokenizer, "char");
  EXPECT_EQ(o.seed, 7u);
  EXPECT_EQ(o.steps, 3);
  EXPECT_EQ(o.log, "l");
  const auto shape = o.batch_shape(1024);
  EXPECT_EQ(shape.B, 2);
  EXPECT_EQ(shape.T, 9);
}

TEST(Options, BatchAndSequenceSuitModelAndDevice) {
  const auto shape = [](const std::vector<std::string>& arguments, int64_t block_size) {
    const auto [B, T] = options(arguments).batch_shape(block_size);
    return Shape{B, T};
  };
  EXPECT_EQ(shape({"--device", "cpu"}, 256), (Shape{4, 64}));
  EXPECT_EQ(shape({"--device", "cpu"}, 37), (Shape{4, 37}));
  EXPECT_EQ(shape({"--device", "cpu", "--model", "gpt2"}, 1024), (Shape{4, 256}));
#ifdef GPT2_CUDA
  if (cuda_device_count() > 0) {
    EXPECT_EQ(shape({"--device", "cuda", "--model", "gpt2"}, 1024), (Shape{16, 1024}));
  }
#endif
  EXPECT_EQ(shape({"--device", "cpu", "--seq", "256"}, 256), (Shape{4, 256}));
  EXPECT_ERROR(options({"--seq", "2048"}).batch_shape(1024),
               "--seq 2048 is longer than the model's block size 1024");
}

// The default suits any number of ranks; a value that was given is taken as it is, or refused with those near it.
TEST(Options, TheTotalBatchIsAMultipleOfWhatAllRanksDoAtOnce) {
  struct Case {
    std::string model;
    int64_t given;
    app::Options::BatchShape shape;
    int ranks;
    int64_t expected;
  };
  for (const Case& c : {Case{"tiny", 0, {4, 64}, 1, 3072}, Case{"tiny", 0, {4, 64}, 2, 3072},
                        Case{"tiny", 0, {4, 64}, 3, 3072}, Case{"tiny", 0, {4, 64}, 4, 3072},
                        Case{"tiny", 0, {4, 64}, 5, 3840}, Case{"tiny", 0, {4, 64}, 6, 3072},
                        Case{"tiny", 0, {4, 64}, 7, 3584}, Case{"tiny", 0, {4, 64}, 8, 4096},
                        Case{"tiny", 0, {5, 64}, 1, 3200}, Case{"tiny", 0, {64, 256}, 1, 16384},
                        Case{"gpt2", 0, {16, 1024}, 8, 524288}, Case{"gpt2", 0, {16, 1024}, 3, 540672},
                        Case{"tiny", 512, {4, 64}, 2, 512}}) {
    SCOPED_TRACE(fmt::format("{} {} x {} x {} ranks", c.given, c.shape.B, c.shape.T, c.ranks));
    EXPECT_EQ(app::total_batch(c.model, c.given, c.shape, c.ranks), c.expected);
    app::Options options;
    options.model = c.model;
    EXPECT_EQ(app::micro_batches(options, c.given, c.shape, c.ranks),
              c.expected / (c.shape.B * c.shape.T * c.ranks));
  }
  EXPECT_ERROR(
      app::total_batch("tiny", 768, {4, 64}, 2),
      "--total-batch 768: not a multiple of 512 (--batch 4 x --seq 64 x 2 ranks); the nearest multiples "
      "are 512 and 1024");
  EXPECT_ERROR(
      app::total_batch("tiny", 1000, {4, 64}, 1),
      "--total-batch 1000: not a multiple of 256 (--batch 4 x --seq 64); the nearest multiples are 768 "
      "and 1024");
  EXPECT_ERROR(app::total_batch("gpt2", 100, {4, 64}, 2), "the nearest multiple is 512");
  const int64_t large = int64_t{1} << 40;
  for (const int64_t T : {int64_t{1} << 21, int64_t{1} << 24, large})
    EXPECT_ERROR(
        app::total_batch("tiny", 0, {large, T}, 2),
        fmt::format("--batch {} x --seq {} x 2 ranks: more tokens at once than any memory holds", large, T));
}

TEST(Options, AnUnknownFlagOrAValueOutOfRangeIsNamed) {
  EXPECT_ERROR(options({"--stpes", "3"}), "--stpes");
  EXPECT_ERROR(options({"stray"}), "stray");
  for (const std::string flag : {"--steps", "--batch", "--seq"}) {
    for (const std::string value : {"0", "-1", "many", "1.5", "99999999999999999999"}) {
      EXPECT_ERROR(options({flag, value}), flag);
    }
    EXPECT_ERROR(options({flag}), flag);
  }
  EXPECT_ERROR(options({"--seed", "x"}), "--seed");
  EXPECT_ERROR(options({"--steps", "0"}), "not in range 1 to");
}

TEST(Options, ADeviceThatIsNoneIsAnError) {
  for (const std::string device : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", ""}) {
    app::Options o;
    o.device_name = device;
    EXPECT_ERROR(o.device(), "--device " + device + ": expected auto, cpu, cuda or cuda:N");
  }
  EXPECT_ERROR(options({"--device", "cuda:99"}).device(), "--device cuda:99");
}

TEST(ReadCorpus, IsTalesOrAFileThatIsNotEmpty) {
  const TempDir folder;
  put_file(folder / "text", "To be\n");
  put_file(folder / "empty", "");
  EXPECT_EQ(app::read_corpus(folder / "text"), "To be\n");
  EXPECT_EQ(app::read_corpus("tales").size(), 4'000'000u);
  EXPECT_ERROR(app::read_corpus(folder / "empty"), "--data " + (folder / "empty") + ": the file is empty");
  EXPECT_ERROR(app::read_corpus(folder / "none"), folder / "none");
}

TEST(ReadCorpus, ATextFromWindowsIsTheSame) {
  const TempDir folder;
  for (const auto& [bytes, text] : {std::pair<std::string, std::string>{"\xEF\xBB\xBFTo be\r\n", "To be\n"},
                                    {"To\r\n\r\nbe\r", "To\n\nbe\r"}}) {
    put_file(folder / "text", bytes);
    EXPECT_EQ(app::read_corpus(folder / "text"), text);
  }
  put_file(folder / "text", "\xEF\xBB\xBF");
  EXPECT_ERROR(app::read_corpus(folder / "text"), "the file is empty");
  put_file(folder / "text", "\xFF\xFEh");
  EXPECT_ERROR(app::read_corpus(folder / "text"), "--data " + (folder / "text") + ": text in UTF-16");
}

TEST(MakeTokenizer, IsTheOneBesideTheModelUnlessAnotherIsAskedFor) {
  const std::string fixture = GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2";
  EXPECT_EQ(app::make_tokenizer(options({}), "ab")->vocab_size(), 257);
  EXPECT_EQ(app::make_tokenizer(options({"--model", fixture}), "ab")->vocab_size(), 257);
  EXPECT_EQ(app::make_tokenizer(options({"--model", fixture, "--tokenizer", "char"}), "ab")->vocab_size(), 2);
  EXPECT_ERROR(app::make_tokenizer(options({"--tokenizer", "/nowhere"}), "ab"), "/nowhere");
  const TempDir folder;
  EXPECT_ERROR(app::make_tokenizer(options({"--model", folder.path()}), "ab"),
               "--model " + folder.path() + ": the folder has no tokenizer");
  EXPECT_EQ(app::make_tokenizer(options({"--model", folder.path(), "--tokenizer", "byte"}), "")->vocab_size(),
            257);
  put_file(folder / "tokenizer.json", "");
  EXPECT_ERROR(app::make_tokenizer(options({"--model", folder.path()}), "ab"),
               "tokenizer.json: not valid JSON");
  std::filesystem::remove(folder / "tokenizer.json");
  put_file(folder / "vocab.json", R"({"a": 0, "b": 1, "c": 2})");  // of --tokenizer char
  EXPECT_EQ(app::make_tokenizer(options({"--model", folder.path()}), "ab")->vocab_size(), 3);
}

TEST(ParseIds, ReadsIdsBelowTheVocabulary) {
  EXPECT_EQ(app::parse_ids("--ids", "464,3290,0", 50257), (std::vector<int32_t>{464, 3290, 0}));
  EXPECT_EQ(app::parse_ids("--ids", "7", 8), std::vector<int32_t>{7});
  for (const std::string text : {"1,2", "1 2", " 1, 2 ", "1 ,2\n", "1  2", "01,02"}) {
    EXPECT_EQ(app::parse_ids("--ids", text, 8), (std::vector<int32_t>{1, 2})) << text;
  }
  for (const std::string text : {"", ",", "1,", ",1", "1,,2", "1, ,2", " ", "[1]", "+1", "1e0", "x", "-1",
                                 "8", "99999999999", "1;2"}) {
    EXPECT_ERROR(app::parse_ids("--ids", text, 8),
                 "--ids " + text + ": expected ids from 0 to 7, separated by commas");
  }
}

TEST(FirstBatch, IsTheBeginningOfTheText) {
  const app::Options o = options({"--device", "cpu", "--batch", "2", "--seq", "3"});
  const Tensor batch = app::first_batch(o, {5, 6, 7, 8, 9, 10, 11}, 256);
  EXPECT_EQ(batch.shape(), (Shape{2, 3}));
  EXPECT_EQ(batch.to_vector<int32_t>(), (std::vector<int32_t>{5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(app::first_batch(o, std::vector<int32_t>(6), 256).numel(), 6);
  EXPECT_ERROR(app::first_batch(o, std::vector<int32_t>(5), 256),
               "--data tales: 5 tokens do not fill a batch of 2 x 3; use a smaller --batch");
  const app::Options huge = options({"--device", "cpu", "--batch", "1099511627776", "--seq", "256"});
  EXPECT_ERROR(app::first_batch(huge, std::vector<int32_t>(5), 256), "do not fill a batch");  // no overflow
}

TEST(Encode, RefusesATokenizerThatTheModelDoesNotFit) {
  const auto bytes = app::make_tokenizer(options({}), "");
  EXPECT_EQ(app::encode(*bytes, "!!", 257), (std::vector<int32_t>{0, 0}));
  EXPECT_ERROR(app::encode(*bytes, "!!", 256),
               "the tokenizer has 257 ids, but the model has only 256 rows for them");
}

TEST(Encode, ReadsEndOfTextAsATokenUnlessToldNotTo) {
  const std::string text = "!<|endoftext|>!";
  EXPECT_EQ(app::encode(*app::make_tokenizer(options({}), ""), text, 257), (std::vector<int32_t>{0, 256, 0}));
  const auto literal = app::make_tokenizer(options({"--special-tokens", "off"}), "");
  EXPECT_EQ(app::encode(*literal, text, 257).size(), 15u);
}

TEST(Encode, AnAddedTokenNeedsARowOfTheModelOnlyWhereItOccurs) {
  const TempDir folder;
  for (const auto& file : make_tokenizer("byte", "")->files()) put_file(folder / file.name, file.text);
  put_file(folder / "added_tokens.json", R"({"[PAD]": 257})");
  const auto tokenizer = app::make_tokenizer(options({"--tokenizer", folder.path()}), "");
  EXPECT_EQ(app::encode(*tokenizer, "!", 257), (std::vector<int32_t>{0}));
  EXPECT_EQ(app::encode(*tokenizer, "![PAD]", 258), (std::vector<int32_t>{0, 257}));
  EXPECT_ERROR(app::encode(*tokenizer, "![PAD]", 257),
               "--tokenizer: the added token \"[PAD]\" has the id 257, the model only 257 rows");
}

TEST(OpenFolder, AnAddedTokenThatDoesNotFitIsBlamedOnBothFiles) {
  for (const std::string added : {R"({"!": 5})", R"({"[PAD]": 300})", R"({"[PAD]": 3})", R"({"": 257})"}) {
    const TempDir folder;
    for (const auto& file : make_tokenizer("byte", "")->files()) put_file(folder / file.name, file.text);
    put_file(folder / "added_tokens.json", added);
    EXPECT_ERROR(app::make_tokenizer(options({"--tokenizer", folder.path()}), ""),
                 " with added_tokens.json: ");
  }
}

}  // namespace
}  // namespace gpt2::testing
