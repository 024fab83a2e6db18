// ./course plot as a black box: what it draws of small logs, and what it refuses to draw.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "paths.h"
#include "tests/common/files.h"
#include "tests/common/xml.h"
#include "tests/shell.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;

std::string event(const std::string& name, int step, const std::string& field, const std::string& value) {
  return "{\"event\":\"" + name + "\",\"step\":" + std::to_string(step) + ",\"" + field + "\":" + value +
         "}\n";
}

std::string config(const std::string& data) { return "{\"event\":\"config\",\"data\":\"" + data + "\"}\n"; }

// Losses from `first` down to `last`, most of the way in twenty steps.
std::string training(int steps, double first, double last) {
  std::string lines;
  for (int step = 0; step < steps; ++step) {
    const double loss = last + (first - last) * std::exp(-step / 8.0);
    lines += event("step", step, "loss", std::to_string(loss));
  }
  return lines;
}

// What gnuplot writes for a baseline, and for a dot of a curve.
constexpr auto kDashed = "stroke-dasharray=", kDot = "<use xlink:href='#gpPt6'";

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

class Plot : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"jq", "gnuplot"})
      if (shell("command -v " + std::string(tool)).status != 0) GTEST_SKIP() << tool << " is not here";
  }

  // In the folder of the logs; `printed` has both streams.
  int plot(const std::string& arguments) {
    const Outcome outcome = shell("cd " + dir_.path() + " && " GPT2_SOURCE_DIR "/course plot " + arguments);
    printed = outcome.output;
    return outcome.status;
  }

  std::string svg_of(const std::string& logs) {
    EXPECT_EQ(plot(logs + " --out plot.svg"), 0) << printed;
    const std::string svg = file_bytes(dir_ / "plot.svg");
    EXPECT_EQ(xml_fault(svg), "");
    EXPECT_EQ(count(svg, "nan") + count(svg, "null") + count(svg, "inf"), 0u) << svg;
    for (const char* colour :
         {"#ffffff", "rgb(255, 255, 255)", "rgb(0, 0, 0)", "rgb(255,255,255)", "rgb(0,0,0)"})
      EXPECT_EQ(count(svg, colour), 0u) << "cannot be read in a light and in a dark page: " << colour;
    return svg;
  }

  void expect_error(const std::string& arguments, const std::string& message) {
    EXPECT_EQ(plot(arguments), 1) << arguments;
    EXPECT_EQ(printed.find("plot: " + message), 0u) << printed;
    EXPECT_EQ(printed.find('\n'), printed.size() - 1) << printed;
  }

  TempDir dir_;
  std::string printed;
};

}  // namespace

TEST(XmlFault, IsFound) {
  EXPECT_EQ(xml_fault("<?xml version=\"1.0\"?>\n<a x='\"2\"'/>"), "");
  EXPECT_EQ(xml_fault("<a x1=\"2\"><b/>text &amp; &lt;<c>d</c></a>\n"), "");
  for (const char* xml : {"<a>", "<a b='\"></a>", "<?xml version='1'?><a>", "<a></b>", "</a>", "<a>&</a>",
                          "<a x=1></a>", "<a><b></a></b>", "<a>1 < 2</a>"})
    EXPECT_NE(xml_fault(xml), "") << xml;
}

TEST_F(Plot, ShowsLossesAndHellaSwagBesideTheBaselines) {
  put_file(dir_ / "night.jsonl", config("data/fineweb-edu/*.bin") + training(400, 10.98, 3.1) +
                                     event("val", 0, "loss", "10.97") + event("val", 399, "loss", "3.2") +
                                     event("hellaswag", 0, "acc_norm", "0.25") +
                                     event("hellaswag", 399, "acc_norm", "0.306"));
  const std::string svg = svg_of("night.jsonl");
  for (const char* text :
       {">Loss<", ">HellaSwag accuracy<", ">night, training (3.1000)<", ">night, validation (3.2000)<",
        ">night (0.3060)<", ">GPT-2 124M: 3.2924<", ">GPT-2 124M: 0.2955<", ">GPT-3 124M: 0.337<",
        ">the first steps, from 10.98, are above<", ">step<"})
    EXPECT_EQ(count(svg, text), std::string(text) == ">step<" ? 2u : 1u) << text;
  EXPECT_EQ(count(svg, kDashed), 2u);  // a path in each panel
}

// Losses and scores near the baselines of all sizes, so that only the size decides which are drawn.
std::string near_all_baselines(const std::string& parameters) {
  const std::string config =
      parameters.empty() ? ""
                         : "{\"event\":\"config\",\"data\":\"x.bin\",\"parameters\":" + parameters + "}\n";
  return config + event("val", 0, "loss", "3.6") + event("val", 9, "loss", "2.7") +
         event("hellaswag", 0, "acc_norm", "0.25") + event("hellaswag", 9, "acc_norm", "0.6");
}

TEST_F(Plot, TheBaselinesAreThoseOfTheSize) {
  const std::vector<std::vector<std::string>> baselines = {
      {">GPT-2 124M, FineWeb: 3.425<", ">GPT-2 124M: 0.2955<", ">GPT-3 124M: 0.337<"},
      {">GPT-2 350M, FineWeb: 3.083<", ">GPT-2 350M: 0.375<", ">GPT-3 350M: 0.436<"},
      {">GPT-2 774M, FineWeb: 3.001<", ">GPT-2 774M: 0.432<", ">GPT-3 774M: 0.51<"},
      {">GPT-2 1558M, FineWeb: 2.831<", ">GPT-2 1558M: 0.489<", ">GPT-3 1558M: 0.547<"}};
  const auto expect_size = [&](const std::string& svg, size_t size) {
    for (size_t i = 0; i < baselines.size(); ++i)
      for (const std::string& text : baselines[i]) EXPECT_EQ(count(svg, text), i == size ? 1u : 0u) << text;
  };
  // With the rows of padding, as 09 counts them; and a size of none of the four.
  const std::vector<std::pair<std::string, size_t>> sizes = {
      {"124475904", 0}, {"354871296", 1}, {"774090240", 2}, {"1557686400", 3}, {"800000", 0}, {"", 0}};
  for (const auto& [parameters, size] : sizes) {
    put_file(dir_ / "run.jsonl", near_all_baselines(parameters));
    expect_size(svg_of("run.jsonl"), size);
  }
  const std::string of_llmc = "s:0 tel:3.6000\ns:9 tel:2.7000\ns:0 eval:0.2500\ns:9 eval:0.6000\n";
  const std::vector<std::pair<std::string, size_t>> folders = {
      {"log_gpt2_350M", 1}, {"log774M", 2}, {"log_gpt2_1558M", 3}, {"log_gpt2_9124M", 0}, {"other", 0}};
  for (const auto& [folder, size] : folders) {
    fs::create_directory(dir_ / folder);
    put_file(dir_ / (folder + "/main.log"), of_llmc);
    expect_size(svg_of(folder + "/main.log"), size);
  }
}

// The log of logger.h, with a line that was cut off and a loss that is no number.
TEST_F(Plot, DrawsLlmcsLogAsOurs) {
  fs::create_directory(dir_ / "night");
  put_file(dir_ / "night/main.log",
           "s:0 tel:10.9800\ns:0 trl:10.9700 lr:0.000001 norm:15.32\ns:1 trl:9.5000 lr:0.000002 norm:9.00\n"
           "s:2 trl:-nan lr:0.000002 norm:nan\ns:3 tel:9.2500\ns:3 eval:0.2500\ns:1 trl:9.4000 lr:0.1 "
           "norm:1.00\ns:4 t");
  const std::string svg = svg_of("night/main.log");
  for (const char* text : {">night, training (9.4000)<", ">night, validation (9.2500)<", ">night (0.2500)<"})
    EXPECT_EQ(count(svg, text), 1u) << text << svg;
  EXPECT_EQ(plot("night/main.log"), 0) << printed;
  EXPECT_EQ(printed, "night/main.svg\n");
}

TEST_F(Plot, OfLossesAloneIsOnePanel) {
  put_file(dir_ / "tiny.jsonl", training(50, 5.6, 3.1));
  const std::string svg = svg_of("tiny.jsonl");
  EXPECT_EQ(count(svg, "HellaSwag"), 0u);
  EXPECT_EQ(count(svg, kDashed), 1u);
  EXPECT_EQ(count(svg, "opacity='0.35'"), 1u);  // and a smoothed curve over it
}

TEST_F(Plot, LeavesOutBaselinesThatAreFarOffOrOfOtherText) {
  put_file(dir_ / "far.jsonl", training(50, 1.5, 1.2) + event("hellaswag", 9, "acc_norm", "0.7"));
  put_file(dir_ / "tales.jsonl", config("tales") + training(50, 5.6, 3.1));
  EXPECT_EQ(count(svg_of("far.jsonl"), kDashed), 0u);
  EXPECT_EQ(count(svg_of("tales.jsonl"), kDashed), 0u);
}

TEST_F(Plot, NamesSeveralLogsByTheirFilesOrPaths) {
  for (const char* folder : {"a", "b"}) {
    fs::create_directory(dir_ / folder);
    for (const char* name : {"/log.jsonl", "/night.jsonl"})
      put_file(dir_ / (folder + std::string(name)), training(3, 5, 4));
  }
  put_file(dir_ / "a/<&>\".jsonl", training(3, 5, 4));
  const std::string distinct = svg_of("a/log.jsonl 'a/<&>\".jsonl'");
  EXPECT_EQ(count(distinct, ">a, training"), 1u);  // of a run's folder the folder
  EXPECT_EQ(count(distinct, ">&lt;&amp;>\", training ("), 1u);
  const std::string same = svg_of("a/night.jsonl b/night.jsonl");
  EXPECT_EQ(count(same, ">a/night, training"), 1u);
  EXPECT_EQ(count(same, ">b/night, training"), 1u);
}

TEST_F(Plot, ThinsLongCurves) {
  put_file(dir_ / "long.jsonl", training(19073, 11, 3));
  const std::string svg = svg_of("long.jsonl");
  const size_t at = svg.find("<g id=\"gnuplot_plot_2a\"");  // after the faint curve
  ASSERT_NE(at, std::string::npos);
  const std::string curve = svg.substr(at, svg.find("<g id=", at + 1) - at);
  const size_t points = count(curve, " L") + 1;
  EXPECT_GE(points, 500u);
  EXPECT_LE(points, 1000u);
}

TEST_F(Plot, SkipsWhatIsNoNumberAndTheLineThatWasCutOff) {
  put_file(dir_ / "run.jsonl", event("step", 0, "loss", "5") + event("step", 1, "loss", "null") +
                                   event("step", 2, "loss", "\"4\"") + event("step", 3, "loss", "1e999") +
                                   "\n" + event("step", 4, "loss", "4") + "{\"event\":\"step\",\"st");
  EXPECT_EQ(count(svg_of("run.jsonl"), ">run, training (4.0000)<"), 1u);
}

TEST_F(Plot, AStepTakenAgainCountsOnce) {
  put_file(dir_ / "resumed.jsonl",
           event("val", 0, "loss", "5") + event("val", 10, "loss", "9") + event("val", 10, "loss", "4"));
  const std::string svg = svg_of("resumed.jsonl");
  EXPECT_EQ(count(svg, kDot), 2u + 1u);  // and one in the legend
  EXPECT_EQ(count(svg, ">resumed, validation (4.0000)<"), 1u);
}

TEST_F(Plot, OfASinglePointIsADot) {
  put_file(dir_ / "one.jsonl", event("step", 7, "loss", "0"));
  EXPECT_EQ(count(svg_of("one.jsonl"), kDot), 1u + 1u);
}

TEST_F(Plot, StandsBesideTheLogUnlessToldOtherwise) {
  put_file(dir_ / "run.jsonl", training(3, 5, 4));
  EXPECT_EQ(plot("run.jsonl"), 0) << printed;
  EXPECT_EQ(printed, "run.svg\n");
  EXPECT_TRUE(fs::exists(dir_ / "run.svg"));
}

TEST_F(Plot, IsAPngIfItsNameEndsInPng) {
  put_file(dir_ / "run.jsonl", training(3, 5, 4));
  EXPECT_EQ(plot("run.jsonl --out plot.png"), 0) << printed;
  EXPECT_EQ(file_bytes(dir_ / "plot.png").substr(1, 3), "PNG");
}

TEST_F(Plot, AFullDiskLeavesThePictureThatWasThere) {
  put_file(dir_ / "run.jsonl", training(3, 5, 4));
  const std::string before = "<desc>Produced by GNUPLOT</desc>, the picture of yesterday";
  put_file(dir_ / "run.svg", before);
  put_file(dir_ / "cp",
           "#!/bin/sh\nfor target; do :; done\n: >\"$target\"\n"
           "echo \"cp: error writing '$target': No space left on device\" >&2\nexit 1\n");
  fs::permissions(dir_ / "cp", fs::perms::owner_all);
  const Outcome outcome = shell("cd " + dir_.path() + " && PATH=" + dir_.path() +
                                ":$PATH " GPT2_SOURCE_DIR "/course plot run.jsonl");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.output.find("plot: --out run.svg: could not be written (No space left on device)"), 0u)
      << outcome.output;
  EXPECT_EQ(file_bytes(dir_ / "run.svg"), before);
  EXPECT_EQ(dir_.names(), (std::vector<std::string>{"cp", "run.jsonl", "run.svg"}));
}

TEST_F(Plot, BadInputIsOneLine) {
  put_file(dir_ / "run.jsonl", training(3, 5, 4));
  put_file(dir_ / "text.jsonl", "step 0 | loss: 5\nstep 1 | loss: 4\n");
  put_file(dir_ / "broken.jsonl", training(3, 5, 4) + "oops\n" + training(3, 5, 4));
  put_file(dir_ / "list.jsonl", "[1]\n");
  put_file(dir_ / "broken.log", "s:0 tel:5\ns:1 unknown:4\ns:2 tel:5\n");
  put_file(dir_ / "empty.jsonl", "");
  put_file(dir_ / "other.jsonl", config("tales") + event("step", 0, "loss", "null"));
  for (const auto& [arguments, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "which log?"},
           {"gone.jsonl", "gone.jsonl: no such file"},
           {".", ".: not a file that can be read"},
           {"text.jsonl", "text.jsonl: not JSON"},
           {"list.jsonl", "list.jsonl: not JSON"},
           {"broken.log", "broken.log: line 2 is not JSON"},
           {"run.jsonl broken.jsonl", "broken.jsonl: line 4 is not JSON"},
           {"empty.jsonl", "empty.jsonl: no step, val or hellaswag event"},
           {"other.jsonl", "other.jsonl: no step, val or hellaswag event"},
           {"run.jsonl --out run.jsonl", "--out run.jsonl: expected a name that ends in .svg or .png"},
           {"run.jsonl --out gone/plot.svg", "--out gone/plot.svg: could not be written"},
           {"run.jsonl --out", "--out needs a file name"},
           {"run.jsonl --colour red", "--colour: no such flag"}})
    expect_error(arguments, message);
  EXPECT_EQ(file_bytes(dir_ / "run.jsonl"), training(3, 5, 4));
}

TEST_F(Plot, SaysThatItsOutputCannotBePrinted) {
  put_file(dir_ / "run.jsonl", training(3, 5, 4));
  expect_error("run.jsonl > /dev/full", "standard output: No space left on device");
}

// A picture replaces a picture of this command, and nothing else.
TEST_F(Plot, NeverReplacesAFileOfAnotherKind) {
  put_file(dir_ / "run.jsonl", training(3, 5, 4));
  for (const std::string& bytes :
       {std::string("<svg>mine</svg>\n"), training(3, 5, 4), std::string("a text\n")}) {
    for (const std::string name : {"run.svg", "mine.png"}) {
      put_file(dir_ / name, bytes);
      expect_error("run.jsonl" + (name == "run.svg" ? "" : " --out " + name),
                   "--out " + name + ": the file exists and is not a picture of this command");
      EXPECT_EQ(file_bytes(dir_ / name), bytes);
    }
  }
  put_file(dir_ / "log.svg", training(3, 5, 4));
  expect_error("log.svg --out log.svg",
               "--out log.svg: the file exists and is not a picture of this command");
  fs::create_directory(dir_ / "folder.svg");
  expect_error("run.jsonl --out folder.svg", "--out folder.svg: could not be written");
  EXPECT_EQ(shell("mkfifo " + (dir_ / "pipe.svg")).status, 0);
  expect_error("run.jsonl --out pipe.svg", "--out pipe.svg: not a regular file");
  for (const std::string name : {"empty.svg", "new.svg", "new.png", "new.svg", "new.png"}) {
    if (name == "empty.svg") put_file(dir_ / name, "");
    EXPECT_EQ(plot("run.jsonl --out " + name), 0) << printed;
  }
}

}  // namespace gpt2::testing
