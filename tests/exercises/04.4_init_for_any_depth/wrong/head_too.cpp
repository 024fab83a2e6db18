//@fails tied matrix | is drawn twice
//@solution 04.4
if (auto* linear = dynamic_cast<nn::Linear*>(&module)) {
  const double share = linear->name() == "out" ? 1 / std::sqrt(3.0 * double(n_layer)) : 1;
  nn::init::normal_(linear->weight, 0, share / std::sqrt(double(linear->weight.size(1))));
  if (linear->bias.defined()) nn::init::constant_(linear->bias, 0);
} else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
  nn::init::normal_(embedding->weight, 0, 1);
}
//@end
