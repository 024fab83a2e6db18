//@fails 4, 48 and 96 blocks | too little is added to it
//@solution 04.4
if (auto* linear = dynamic_cast<nn::Linear*>(&module); linear != nullptr && linear != &lm_head) {
  const double share = linear->name() == "out" ? 0.1 : 1;
  nn::init::normal_(linear->weight, 0, share / std::sqrt(double(linear->weight.size(1))));
  nn::init::constant_(linear->bias, 0);
} else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
  nn::init::normal_(embedding->weight, 0, 1);
}
//@end
