// The log of a run that resumes: whether the files are this run's, and what they keep.
//
// Nothing is removed from a file unless the run wrote it after the checkpoint: a checkpoint stores how far the log went
// and its digest (app::Log::extents), and what follows must be this run's events of consecutive steps. Any other
// file is refused, or stays beside the new one as log.jsonl.unused.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/app/log.h"

namespace gpt2::training {

struct LogPaths {
  std::string json, text, llmc;  // --log or OUT/log.jsonl; OUT/log.txt; OUT/main.log
};

// The checkpoint from which a run resumes.
struct ResumePoint {
  std::string checkpoint;  // its path
  int64_t step = 0;
  bool is_chosen = false;  // by --resume-from; otherwise it is the newest
  bool anyway = false;     // --resume-anyway
};

struct ResumedLog {
  app::Log::Contents contents;        // of the files from here on
  std::vector<std::string> replaced;  // files whose old contents must be kept beside them (app::keep_aside)
  std::vector<std::string> notes;     // lines for the screen, once the log is accepted
};

// Returns the log up to the checkpoint (with state.json's "log"), with the events that come before the training of that
// step. Throws if a file is not this run's log up to there, unless `anyway`; then the new file begins with the old one's
// events. Throws if a newer checkpoint was saved but is missing. main.log is made from the log anew. Neither function changes a file.
ResumedLog log_up_to(const LogPaths& paths, const ResumePoint& point, const nlohmann::json& extents);

// Prepares the log of a run that resumes in a folder without checkpoints, and so starts at step 0. Throws if the
// folder is not that of a run that was stopped before its first checkpoint.
ResumedLog log_from_start(const LogPaths& paths, const std::string& out);

}  // namespace gpt2::training
