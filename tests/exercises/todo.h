// COURSE_TODO: what a starter has where the student's code belongs.
//
//   return COURSE_TODO("08.1");
//
// It compiles as a value of any type. When it is reached, the program ends, and the test says that this part is
// not written yet.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace exercise {

inline constexpr int kTodoStatus = 77;  // the exit status, which tool/judging.py knows

struct Todo {
  const char* id;
  const char* file;
  int line;

  ~Todo() { end(); }
  template <class T>
  [[noreturn]] operator T() const {
    end();
  }

 private:
  [[noreturn]] void end() const {
    std::fprintf(stderr, "TODO(%s) at %s:%d is not written yet\n", id, file, line);
    std::_Exit(kTodoStatus);
  }
};

}  // namespace exercise

#define COURSE_TODO(id) (::exercise::Todo{id, __builtin_FILE(), __builtin_LINE()})
