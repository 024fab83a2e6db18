#include <nccl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "common/dist/peers.h"

using gpt2::dist::Deadline;
using gpt2::dist::Peers;
using gpt2::dist::Socket;

struct ncclComm {
  int rank;
  Peers peers;  // of rank 0: in order
  std::atomic<ncclResult_t> error = ncclSuccess;
};

namespace {

Socket listener;  // of the rank that made the id

bool on_device(const void* pointer) {
  cudaPointerAttributes attributes{};
  cudaPointerGetAttributes(&attributes, pointer);
  return attributes.type == cudaMemoryTypeDevice;
}

size_t size_of(ncclDataType_t type) { return type == ncclFloat ? sizeof(float) : sizeof(double); }

bool send(const gpt2::dist::Peer& peer, const void* values, size_t bytes) {
  return peer.socket.send(values, bytes);
}
bool receive(const gpt2::dist::Peer& peer, void* values, size_t bytes) {
  return peer.socket.receive(values, bytes, Deadline(std::chrono::hours(1)));
}

// Queues a collective, which waits for the other ranks.
ncclResult_t queue_up(ncclComm& comm, cudaStream_t stream, std::function<void()> collective) {
  const cudaError_t error = executor::submit(stream, std::move(collective), /*with_peers=*/true);
  return error == cudaSuccess ? ncclResult_t(comm.error) : ncclUnhandledCudaError;
}

ncclResult_t broken(ncclComm& comm) { return comm.error = ncclRemoteError; }

// Rank 0 adds up the values in the order of the ranks, and hands out the result.
template <class T>
ncclResult_t all_reduce(T* x, size_t count, ncclRedOp_t op, ncclComm& comm) {
  const size_t bytes = count * sizeof(T);
  if (comm.rank != 0) {
    const bool done = send(comm.peers[0], x, bytes) && receive(comm.peers[0], x, bytes);
    return done ? ncclSuccess : broken(comm);
  }
  std::vector<T> values(count);
  for (const auto& peer : comm.peers) {
    if (!receive(peer, values.data(), bytes)) return broken(comm);
    for (size_t i = 0; i < count; ++i) x[i] += values[i];
  }
  if (op == ncclAvg) {
    for (size_t i = 0; i < count; ++i) x[i] /= T(comm.peers.size() + 1);
  }
  for (const auto& peer : comm.peers) {
    if (!send(peer, x, bytes)) return broken(comm);
  }
  return ncclSuccess;
}

}  // namespace

cudaError_t cudaDeviceGetPCIBusId(char* id, int size, int device) {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  std::istringstream numbers(visible == nullptr ? "" : visible);
  std::string number = std::to_string(device);
  for (int i = 0; i <= device && visible != nullptr; ++i) std::getline(numbers, number, ',');
  std::snprintf(id, size_t(size), "0000:%02x:00.0", std::stoi(number));
  return cudaSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess              ? "no error"
         : result == ncclUnhandledCudaError ? "unhandled cuda error"
         : result == ncclRemoteError        ? "remote process exited"
                                            : "invalid argument";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  listener = Socket::listen(gpt2::dist::kLoopback, 0, Deadline(std::chrono::seconds(1)));
  const int port = listener.port();
  std::memcpy(id->internal, &port, sizeof(port));
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  int port = 0;
  std::memcpy(&port, id.internal, sizeof(port));
  const Deadline deadline(std::chrono::seconds(60));
  const gpt2::dist::Introduction self{.key = "nccl", .rank = rank, .world_size = ranks, .gpu = ""};
  Peers peers = rank == 0 ? gpt2::dist::meet(listener, self, deadline)
                          : gpt2::dist::meet(gpt2::dist::kLoopback, port, self, deadline);
  std::sort(peers.begin(), peers.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
  *comm = new ncclComm{rank, std::move(peers)};
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  *error = comm->error;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  if (!on_device(from) || !on_device(to)) return ncclInvalidArgument;
  return queue_up(*comm, stream, [=] {
    std::memmove(to, from, count * size_of(type));
    type == ncclFloat ? all_reduce(static_cast<float*>(to), count, op, *comm)
                      : all_reduce(static_cast<double*>(to), count, op, *comm);
  });
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  if (!on_device(from) || !on_device(to) || root != 0) return ncclInvalidArgument;
  return queue_up(*comm, stream, [=] {
    std::memmove(to, from, count * size_of(type));
    for (const auto& peer : comm->peers) {
      const bool done =
          comm->rank == 0 ? send(peer, to, count * size_of(type)) : receive(peer, to, count * size_of(type));
      if (!done) {
        broken(*comm);
        return;
      }
    }
  });
}
