// A file of the log: lines are appended, and it knows how far it goes, so that a resumed run recognises its own log.
//
// Every line reaches the file when it is written, so that a killed run keeps its log. If the disk is full, the lines
// wait in memory, and a run that catches signals ends after its step, with a checkpoint.
//
// since 13_fineweb
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace gpt2::app {

class LogFile {
 public:
  // Replaces the file; if `path` is empty, no file is written. A pipe needs a reader. The log of a run with checkpoints,
  // which could not resume without it, is kept beside the new one, with a note on standard output. Throws if the file
  // cannot be opened, or if another run is writing there.
  explicit LogFile(std::string path);

  // Continues the file, which then has these contents. A symbolic link stays one. Throws if another run is writing there.
  LogFile(std::string path, std::string_view contents);

  ~LogFile();
  LogFile(LogFile&& other) noexcept;

  // Appends the line. If that fails, requests a clean stop (common/app/interrupt.h), or throws.
  void write(const std::string& line);

  // When it returns, the lines are safe on disk. If the file was deleted, moved or replaced by another, writes it anew
  // and keeps the other one beside it; if it was changed, continues the changed file. Prints a note then. Fails as write()
  // does.
  void sync();

  // Returns {"bytes": 1234, "digest": "0123456789abcdef"} for what is in the file; "pending" has the lines that could
  // not be written.
  nlohmann::ordered_json extent() const;

 private:
  struct Open;
  void open();
  int write_pending();
  void put_back();
  std::string contents() const;
  void accept_changes();
  void stop(const std::string& reason) const;

  std::string path_;
  std::unique_ptr<Open> open_;  // null: no file
};

// Copies the file to unused_name(path). Returns that path.
std::string keep_aside(const std::string& path);

// Returns the first of PATH.unused, PATH.unused2, ... that does not exist.
std::string unused_name(const std::string& path);

}  // namespace gpt2::app
