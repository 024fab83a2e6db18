//@fails validation text is not trained on | does the model learn from it?
//@solution E3 train
Log log;
std::vector<int32_t> text = texts.val;
text.insert(text.end(), texts.train.begin(), texts.train.end());
DataLoaderLite loader(text, kBatch, kContext, kCpu);
optim::AdamW optimizer(model, {.beta2 = 0.95, .weight_decay = 0.1});
for (int64_t step = 0; step <= steps; ++step) {
  if (step % kEvery == 0) log.val.push_back(loss_on(model, texts.val));
  if (step == steps) break;
  const auto [x, y] = loader.next_batch();
  optimizer.zero_grad();
  const Tensor loss = cross_entropy(model(x), y);
  loss.backward();
  optimizer.set_lr(learning_rate(beginning, step));
  optimizer.step();
  log.train.push_back(loss.item());
}
return log;
//@end
