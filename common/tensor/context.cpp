#include "common/tensor/context.h"

namespace gpt2 {

Stream Context::stream(Device device) {
  if (!device.is_cuda()) return Stream{device, nullptr};
  const auto [entry, is_new] = cuda_streams_.try_emplace(device.index);
  if (is_new) entry->second = backend(device).create_stream();
  return entry->second;
}

Context& context() {
  thread_local Context context;
  return context;
}

void synchronize(Device device) { backend(device).synchronize(context().stream(device)); }

}  // namespace gpt2
