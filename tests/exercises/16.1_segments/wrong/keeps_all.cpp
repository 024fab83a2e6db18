//@fails memory | the input of every layer is kept
//@solution 16.1 gradient
std::vector<Activation> inputs;
inputs.push_back(std::move(x));
for (int i = 0; i + 1 < layers; ++i) inputs.push_back(chain[size_t(i)].forward(inputs.back()));
std::vector<float> gradient = dy;
for (int i = layers - 1; i >= 0; --i) gradient = chain[size_t(i)].backward(inputs[size_t(i)], gradient);
return gradient;
//@end
