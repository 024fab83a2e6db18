//@fails the layers of a branch | GPT-2's standard deviation, 0.02
//@solution 04.4
if (auto* linear = dynamic_cast<nn::Linear*>(&module)) {
  const double std = linear->name() == "out" ? 0.02 / std::sqrt(2.0 * double(n_layer)) : 0.02;
  nn::init::normal_(linear->weight, 0, std);
  if (linear->bias.defined()) nn::init::constant_(linear->bias, 0);
} else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
  nn::init::normal_(embedding->weight, 0, 0.02);
}
//@end
