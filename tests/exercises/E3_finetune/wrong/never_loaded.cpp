//@fails first models | does not have the weights of data/tales-gpt2
//@solution E3 first model
nn::manual_seed(1337);
auto model = std::make_unique<GPT>(config);
model->to(kCpu);
return model;
//@end
