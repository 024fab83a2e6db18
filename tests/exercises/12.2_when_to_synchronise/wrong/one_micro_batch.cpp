//@fails flag_late | your test passes a faulty version: require_backward_grad_sync is set after the forward pass
//@solution 12.2
std::string compare(double max_norm) {
  const Settings alone{.ranks = 1, .micro_batches = 3, .steps = 3, .max_norm = max_norm};
  const Settings together{.ranks = 3, .micro_batches = 1, .steps = 3, .max_norm = max_norm};
  const Trained expected = train(alone), trained = train(together);
  for (const auto& weights : trained.weights)
    for (size_t i = 0; i < weights.size(); ++i)
      if (!near(weights[i], expected.weights[0][i])) return "the weights differ from a single rank's";
  return trained.rounds == 3 ? "" : "too many rounds";
}
//@end
