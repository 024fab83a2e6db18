#include "subject.h"
#include "tests/exercises/exercise.h"

CASE("verdict") {
  const std::string complaint = STUDENT(check_training());
  CHECK(complaint.empty(), "{}", complaint);
}
