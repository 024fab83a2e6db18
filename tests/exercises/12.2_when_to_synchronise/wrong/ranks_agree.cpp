//@fails norm_before_average | your test passes a faulty version: each rank clips its own gradients
//@solution 12.2
// All ranks have the same weights.
std::string compare(double max_norm) {
  const Settings together{.ranks = 3, .micro_batches = 2, .steps = 3, .max_norm = max_norm};
  const Trained trained = train(together);
  for (const auto& weights : trained.weights)
    if (weights != trained.weights[0]) return "the ranks have different weights";
  return trained.rounds == together.steps ? "" : "too many rounds";
}
//@end
