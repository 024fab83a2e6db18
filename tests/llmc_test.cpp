// ./course llmc: llm.c's flags as ours. Nothing is built or trained here.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "paths.h"
#include "tests/common/files.h"
#include "tests/shell.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;

// In a copy of the scripts, so that files of this checkout (data/hellaswag) do not matter.
class Llmc : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"common/dist", "steps/13_fineweb"}) fs::create_directories(dir_ / folder);
    for (const char* file : {"course", "common/course.sh", "steps/llmc"})
      fs::copy_file(fs::path(GPT2_SOURCE_DIR) / file, dir_ / file);
    put_file(dir_ / "steps/13_fineweb/train_gpt2.cpp", "");
  }

  Outcome llmc(const std::string& arguments, const std::string& before = "") {
    return shell("cd " + dir_.path() + "; " + before + " ./course llmc " + arguments);
  }

  // The flags of our command, without those that every test below has.
  std::string command(const std::string& arguments) {
    const Outcome outcome = llmc(arguments + " --print");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return outcome.output;
  }

  void put_shard(const std::string& name, int32_t tokens) {
    const std::array<int32_t, 256> header{20240520, 1, tokens};
    put_file(dir_ / name, std::string(reinterpret_cast<const char*>(header.data()), sizeof header));
  }

  TempDir dir_;
};

const std::string kOf1558M =
    "-i \"dev/data/edu_fineweb100B/edu_fineweb_train_*.bin\" -j "
    "\"dev/data/edu_fineweb100B/edu_fineweb_val_*.bin\" "
    "-o log_gpt2_1558M -v 250 -s 300000 -g 384 -h 1 -b 16 -t 1024 -d 1048576 -r 0 -z 1 -c 0.1 -k cosine -l "
    "0.0006 -q "
    "0.1 -u 700 -n 2000 -x 32000 -ge 1 -y 1 -e d48";

}  // namespace

TEST_F(Llmc, TheLineOfThe1558MRunIsOurs) {
  fs::create_directories(dir_ / "dev/data/hellaswag");
  put_file(dir_ / "dev/data/hellaswag/hellaswag_val.bin", "x");
  EXPECT_EQ(
      command(kOf1558M + " 2>/dev/null"),
      "./course run 13_fineweb -- --data 'dev/data/edu_fineweb100B/edu_fineweb_train_*.bin' --model d48 "
      "--tokenizer data/gpt2 --batch 16 --seq 1024 --total-batch 1048576 --steps 32000 --max-lr 0.0006 "
      "--min-lr "
      "6e-05 --warmup 700 --weight-decay 0.1 --val-data 'dev/data/edu_fineweb100B/edu_fineweb_val_*.bin' "
      "--val-every 250 --sample-every 300000 --hellaswag dev/data/hellaswag/hellaswag_val.bin "
      "--hellaswag-every "
      "250 --out log_gpt2_1558M --resume --checkpoint-every 2000 --keep 1000000000\n");
}

TEST_F(Llmc, WhatIsIgnoredIsNamedWithTheReason) {
  const std::string output = command(kOf1558M);
  for (const std::string line : {"llmc: -g 384: ignored: samples have 64 tokens\n",
                                 "llmc: -z 1: ignored: 13_fineweb keeps", "llmc: -ge 1: ignored: GELU",
                                 "llmc: -h 1: ignored: dev/data/hellaswag/hellaswag_val.bin is not here"})
    EXPECT_NE(output.find(line), output.npos) << output;
  EXPECT_EQ(command("-e d12 -x 1 -lg -1 -g 64 -r 0 -z 0 -w 1 -k cosine -sl 0.0 -f 1 -a 0 -y 0").find("llmc:"),
            std::string::npos);
  // Of eight ranks one says it.
  for (const std::string rank : {"0", "1"})
    EXPECT_EQ(llmc("-e d12 -x 1 -lg 5 --print", "OMPI_COMM_WORLD_RANK=" + rank).output.find("llmc: -lg 5"),
              rank == "0" ? 0u : std::string::npos);
}

// The last program that there is.
TEST_F(Llmc, The17thStepDividesTheOptimizersState) {
  fs::create_directories(dir_ / "steps/17_zero");
  put_file(dir_ / "steps/17_zero/train_gpt2.cpp", "");
  EXPECT_EQ(command("-e d12 -x 1 -z 1").find("./course run 17_zero -- --data "), 0u);
  EXPECT_EQ(command("-e d12 -x 1 -z 0").find("llmc: -z 0: ignored: 17_zero always divides"), 0u);
}

TEST_F(Llmc, EachFlagIsOurFlag) {
  put_shard("train_1.bin", 1000);
  put_shard("train_2.bin", 500);
  const std::string defaults =
      "./course run 13_fineweb -- --data dev/data/tinyshakespeare/tiny_shakespeare_train.bin --model d12 "
      "--tokenizer "
      "data/gpt2 --batch 4 --seq 1024 --total-batch 4096 --steps 9 --max-lr 3e-4 --min-lr 0.0003 --warmup 0 "
      "--weight-decay 0 --val-data dev/data/tinyshakespeare/tiny_shakespeare_val.bin --val-every 20 "
      "--sample-every 20\n";
  const std::string given = "-e d12 -x 9 ";
  EXPECT_EQ(command(given), defaults);
  for (const auto& [flags, ours] : std::vector<std::pair<std::string, std::string>>{
           {"-i a.bin", " --data a.bin "},
           {"-i 'train_*.bin'", " --data 'train_*.bin' "},
           {"-i 'train_*.bin' -x -1 -b 1 -t 8 -d 24", " --total-batch 24 --steps 62 "},  // 1500 ids
           {"-j b.bin", " --val-data b.bin "},
           {"-e gpt2:d24", " --model d24 --tokenizer data/gpt2 "},
           {"-e gpt2_124M_bf16.bin", " --model gpt2_124M_bf16.bin --batch "},
           {"-o runs/a", " --out runs/a\n"},
           {"-o runs/a -y 1", " --out runs/a --resume\n"},
           {"-o runs/a -n 5", " --out runs/a --checkpoint-every 5 --keep 1000000000\n"},
           {"-o runs/a -n 5 -nk 2 -nm 50", " --checkpoint-every 5 --keep 2 --keep-every 50\n"},
           {"-n 5", " --sample-every 20\n"},  // without -o there are no checkpoints
           {"-b 2 -t 64", " --batch 2 --seq 64 --total-batch 128 "},
           {"-d 8192", " --total-batch 8192 "},
           {"-k linear", " --schedule linear "},
           {"-k constant", " --schedule constant "},
           {"-k constant -u 70", " --warmup 0 "},
           {"-k wsd", " --schedule wsd "},
           {"-l 1e-3 -q 0.5", " --max-lr 1e-3 --min-lr 0.0005 "},
           {"-q 0.0", " --min-lr 0 "},
           {"-u 70", " --warmup 70 "},
           {"-c 0.1f", " --weight-decay 0.1 "},
           {"-sl 5.0", " --skip-loss-z 5.0 "},
           {"-sg 2", " --skip-norm-z 2 "},
           {"-v 7", " --val-every 7 "},
           {"-s 0", " --val-every 20\n"},
           {"-a 1", " --data dev/data/tinyshakespeare/tiny_shakespeare_val.bin "},
           {"-a 1", " --overfit "},
           {"-f 0", " --matmul-precision highest "},
           {"-w 0", " --master-weights off "},
           {"-r 1", " --recompute gelu "},
           {"-r 2", " --recompute layernorm "},
           {"-pi tcp -pn 16 -pr 9 -pg 8 -ps 10.0.0.1",
            "RANK=9 WORLD_SIZE=16 LOCAL_RANK=1 LOCAL_WORLD_SIZE=8 MASTER_ADDR=10.0.0.1 MASTER_PORT=29500 "
            "build/cpu/bin/13_fineweb --data "},
           {"-pi tcp -pn 16 -pr 9 -ps 10.0.0.1", " --total-batch 65536 "},
           {"-pi mpi -pr 0", " --total-batch 4096 "}}) {
    const std::string printed = command(given + flags);
    EXPECT_NE((" " + printed).find(ours), std::string::npos) << flags << ": " << printed;
  }
  EXPECT_NE(llmc(given + "--print", "OMPI_COMM_WORLD_SIZE=8").output.find(" --total-batch 32768 "),
            std::string::npos);
}

TEST_F(Llmc, WhatCannotBeHonouredIsOneLine) {
  put_shard("a.bin", 100);
  put_file(dir_ / "text.bin", "text");
  for (const auto& [flags, message] : std::vector<std::pair<std::string, std::string>>{
           {"-e d60 -x 1", "-e d60: --model has no name for this depth"},
           {"-e gpt3:c768 -x 1", "-e gpt3:c768: GPT-3's shapes have no name here"},
           {"-e big -x 1", "-e big: expected d12, d24, d36, d48 or a model file"},
           {"-b 0", "-b 0: expected a number from 1"},
           {"-b four", "-b four: expected a whole number"},
           {"-d -2", "-d -2: expected a number from -1"},
           {"-l fast", "-l fast: expected a number from 0"},
           {"-c -0.1", "-c -0.1: expected a number from 0"},
           {"-k step", "-k step: expected one of cosine linear constant wsd"},
           {"-y 2", "-y 2: expected one of 0 1"},
           {"-y 1 -e d12 -x 1", "-y 1: give the run's folder with -o"},
           {"-z 4", "-z 4: expected one of 0 1 2 3"},
           {"-pi fs", "-pi fs: ranks do not meet over a file system"},
           {"-pi tcp -pn 2", "-pi tcp: give the address of rank 0 with -ps"},
           {"-pi tcp -pn 2 -pr 2", "-pr 2: expected a rank below -pn 2"},
           {"-b", "-b needs a value"},
           {"-b ''", "-b: its value is empty"},
           {"-qq 1", "-qq: no flag of llm.c's train_gpt2cu"},
           {"--batch 1", "--batch: no flag of llm.c's train_gpt2cu"},
           {"-e d12", "-i dev/data/tinyshakespeare/tiny_shakespeare_train.bin: no such file"},
           {"-e d12 -i text.bin", "-i text.bin: text.bin is not a shard of llm.c"},
           {"-e d12 -i a.bin", "-d 4096: more tokens than -i a.bin has; give -x"}}) {
    const Outcome outcome = llmc(flags);
    EXPECT_EQ(outcome.status, 1) << flags;
    EXPECT_EQ(outcome.output.find("llmc: " + message), 0u) << outcome.output;
    EXPECT_EQ(outcome.output.find('\n'), outcome.output.size() - 1) << outcome.output;
  }
}

// The program is built and run with our flags; under mpirun it is run by every rank and never built.
TEST_F(Llmc, RunsTheProgramInTheFolderOfTheUser) {
  fs::create_directories(dir_ / "build/cpu/bin");
  put_file(dir_ / "build/cpu/bin/13_fineweb", "#!/bin/sh\necho \"$PWD\" \"$@\"\n");
  fs::permissions(dir_ / "build/cpu/bin/13_fineweb", fs::perms::owner_all);
  fs::create_directory(dir_ / "mine");
  const Outcome outcome =
      shell("cd " + (dir_ / "mine") + "; OMPI_COMM_WORLD_SIZE=2 ../course llmc -e d12 -x 3 -b 2");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output.find((dir_ / "mine") + " --data dev/data/"), 0u) << outcome.output;
  EXPECT_NE(outcome.output.find(" --batch 2 --seq 1024 --total-batch 4096 --steps 3 "), std::string::npos);
  fs::remove(dir_ / "build/cpu/bin/13_fineweb");
  const Outcome missing = llmc("-e d12 -x 3", "OMPI_COMM_WORLD_SIZE=2");
  EXPECT_EQ(missing.status, 1);
  EXPECT_NE(missing.output.find("13_fineweb is not built"), std::string::npos) << missing.output;
}

}  // namespace gpt2::testing
