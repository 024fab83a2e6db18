// NCCL: carries values between GPUs.
//
// since 12_ddp
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/dist/transport.h"
#include "common/tensor/device.h"

namespace gpt2::dist {

// What NCCL needs on all ranks to connect them: rank 0 makes it and gives it to the others. Throws without NCCL.
std::vector<char> make_nccl_id();
size_t nccl_id_bytes();

// Identifies a GPU of this process, over all machines: the machine and the GPU's place on its bus. Throws without
// NCCL.
std::string identity_of_gpu(int index);

// Every rank makes one, each for a GPU of its own. All-reduces run on a stream of their own, ordered by
// events after what was queued before them and before what comes after wait(): nothing waits on the host.
std::unique_ptr<Transport> make_nccl_transport(Device device, int rank, int world_size,
                                               const std::vector<char>& id);

}  // namespace gpt2::dist
