#include "schedule.h"

#include "tests/exercises/exercise.h"

namespace {

Schedule random_schedule(exercise::Draw& draw) {
  const double max_lr = draw.number(1e-4, 1e-2);
  const int64_t warmup = draw.integer(2, 30), decay = draw.integer(2, 50);
  return {max_lr, max_lr * draw.number(0, 0.3), warmup, decay, warmup + decay + draw.integer(5, 60)};
}

std::vector<double> rates(const Schedule& schedule, int64_t begin, int64_t end) {
  std::vector<double> result;
  for (int64_t step = begin; step < end; ++step) result.push_back(lr_at(step, schedule));
  return result;
}

#define WITH_SCHEDULE(s)                                                                                  \
  WITH("max_lr {:.4g}, min_lr {:.4g}, warmup {}, decay {}, steps {}", (s).max_lr, (s).min_lr, (s).warmup, \
       (s).decay, (s).steps)

}  // namespace

CASE("warm-up") {
  const Schedule s = random_schedule(draw);
  WITH_SCHEDULE(s);
  const auto lr = STUDENT(rates(s, 0, s.warmup));
  CHECK(lr[0] != 0, "step 0 has the learning rate 0 and trains nothing: begin with (step + 1) / warmup");
  for (int64_t step = 0; step < s.warmup; ++step) {
    CHECK_CLOSE(lr[size_t(step)], s.max_lr / double(s.warmup) * double(step + 1), 1e-12,
                "step {}: the warm-up is max_lr (step + 1) / warmup", step);
  }
}

CASE("stable") {
  const Schedule s = random_schedule(draw);
  WITH_SCHEDULE(s);
  const int64_t end = s.steps - s.decay;
  const auto lr = STUDENT(rates(s, s.warmup, end));
  for (size_t i = 0; i < lr.size(); ++i) {
    CHECK_EQUAL(lr[i], s.max_lr, "step {}: between the warm-up and the decay the learning rate is max_lr",
                int64_t(i) + s.warmup);
  }
}

CASE("decay") {
  const Schedule s = random_schedule(draw);
  WITH_SCHEDULE(s);
  const int64_t begin = s.steps - s.decay;
  const auto lr = STUDENT(rates(s, begin, s.steps));
  for (int64_t k = 0; k < s.decay; ++k) {
    const double range = s.max_lr - s.min_lr, part = double(k) / double(s.decay), got = lr[size_t(k)];
    const double cosine = s.min_lr + range * (1 + std::cos(M_PI * part)) / 2;
    CHECK(k == 0 || !close(got, cosine, 1e-9), "step {}: this is the cosine of chapter 10", begin + k);
    CHECK(k == 0 || !close(got, s.min_lr + range * (1 - part), 1e-9),
          "step {}: this decay is linear; it is to be 1 - sqrt(k / decay)", begin + k);
    CHECK(!close(got, s.min_lr + range * (1 - std::sqrt(double(k + 1) / double(s.decay))), 1e-9),
          "step {}: the decay is a step early: k is 0 in its first step", begin + k);
    CHECK_CLOSE(got + range * std::sqrt(part), s.max_lr, 1e-12, "step {}: the learning rate {:.6g} is wrong",
                begin + k, got);
  }
}

CASE("ends") {
  const Schedule s = random_schedule(draw);
  WITH_SCHEDULE(s);
  const auto lr = STUDENT(rates(s, 0, s.steps + 3));
  CHECK_CLOSE(lr[size_t(s.warmup - 1)], s.max_lr, 1e-12, "the last step of the warm-up, {}, has max_lr",
              s.warmup - 1);
  CHECK_EQUAL(lr[size_t(s.steps - s.decay)], s.max_lr, "the first step of the decay, {}, still has max_lr",
              s.steps - s.decay);
  CHECK(lr[size_t(s.steps - 1)] > s.min_lr, "the last step, {}, is still above min_lr", s.steps - 1);
  for (int64_t step = s.steps; step < s.steps + 3; ++step)
    CHECK_EQUAL(lr[size_t(step)], s.min_lr, "step {} is beyond the end: min_lr", step);
  for (int64_t step = s.warmup; step < s.steps + 3; ++step)
    CHECK(lr[size_t(step)] <= lr[size_t(step - 1)], "the learning rate rises again at step {}", step);
}

CASE("no warm-up, no decay") {
  Schedule s = random_schedule(draw);
  s.warmup = 0;
  WITH_SCHEDULE(s);
  const auto cold = STUDENT(lr_at(0, s));
  CHECK_EQUAL(cold, s.max_lr, "without a warm-up step 0 has max_lr");
  s.decay = 0;
  WITH_SCHEDULE(s);
  const auto last = STUDENT(rates(s, s.steps - 1, s.steps + 1));
  CHECK_EQUAL(last[0], s.max_lr, "without a decay the last step has max_lr");
  CHECK_EQUAL(last[1], s.min_lr, "the step after the last one has min_lr (0 / 0?)");
}
