// What the parts of the runtime share: runtime.cpp (memory, devices) and streams.cpp (streams, events, captures).
//
// since 12_ddp
#pragma once

#include "tests/executor/runtime.h"

namespace executor {

// Returns the error, and keeps it for cudaGetLastError() unless it is cudaSuccess.
cudaError_t result(cudaError_t error);

// For a call that CUDA does not allow while this thread captures a stream. Returns cudaSuccess if it captures none;
// else an error, and the capture is then invalid. `on_legacy_stream`: the call works on the legacy default stream.
cudaError_t refuse_while_capturing(bool on_legacy_stream = false);
bool is_capturing(cudaStream_t stream);

// Runs what the stream holds, and what comes before that on other streams.
void finish(cudaStream_t stream);

}  // namespace executor
