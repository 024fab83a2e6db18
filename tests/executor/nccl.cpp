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
#include "common/tensor/bf16.h"

using gpt2::bf16;
using gpt2::dist::Deadline;
using gpt2::dist::Peers;
using gpt2::dist::Socket;

struct ncclComm {
  int rank, ranks;
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

size_t size_of(ncclDataType_t type) {
  return type == ncclBfloat16 ? sizeof(bf16) : type == ncclFloat ? sizeof(float) : sizeof(double);
}

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

// Rank 0 adds up the values in the order of the ranks, and hands out the result. Sums of bf16 are float.
template <class Sum, class T>
ncclResult_t add_up(T* x, size_t count, ncclRedOp_t op, ncclComm& comm) {
  const size_t bytes = count * sizeof(T);
  if (comm.rank != 0) {
    const bool done = send(comm.peers[0], x, bytes) && receive(comm.peers[0], x, bytes);
    return done ? ncclSuccess : broken(comm);
  }
  std::vector<T> values(count);
  std::vector<Sum> sums(x, x + count);
  for (const auto& peer : comm.peers) {
    if (!receive(peer, values.data(), bytes)) return broken(comm);
    for (size_t i = 0; i < count; ++i) sums[i] += values[i];
  }
  for (size_t i = 0; i < count; ++i) x[i] = op == ncclAvg ? sums[i] / Sum(comm.peers.size() + 1) : sums[i];
  for (const auto& peer : comm.peers) {
    if (!send(peer, x, bytes)) return broken(comm);
  }
  return ncclSuccess;
}

void all_reduce(void* x, size_t count, ncclDataType_t type, ncclRedOp_t op, ncclComm& comm) {
  type == ncclBfloat16 ? add_up<float>(static_cast<bf16*>(x), count, op, comm)
  : type == ncclFloat  ? add_up<float>(static_cast<float*>(x), count, op, comm)
                       : add_up<double>(static_cast<double*>(x), count, op, comm);
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
  *comm = new ncclComm{rank, ranks, std::move(peers)};
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
    all_reduce(to, count, type, op, *comm);
  });
}

// All parts are added up, and this rank takes its own. The others become NaN: NCCL leaves there what it likes.
ncclResult_t ncclReduceScatter(const void* from, void* to, size_t count_of_part, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  auto* parts = static_cast<char*>(const_cast<void*>(from));
  const size_t part = count_of_part * size_of(type), mine = size_t(comm->rank) * part;
  if (!on_device(from) || to != parts + mine) return ncclInvalidArgument;
  return queue_up(*comm, stream, [=] {
    all_reduce(parts, count_of_part * size_t(comm->ranks), type, op, *comm);
    std::memset(parts, 0xff, mine);
    std::memset(parts + mine + part, 0xff, size_t(comm->ranks) * part - mine - part);
  });
}

ncclResult_t ncclAllGather(const void* from, void* to, size_t count_of_part, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  auto* parts = static_cast<char*>(to);
  const size_t part = count_of_part * size_of(type), all = part * size_t(comm->ranks);
  if (!on_device(to) || from != parts + size_t(comm->rank) * part) return ncclInvalidArgument;
  return queue_up(*comm, stream, [=] {
    bool done = true;
    if (comm->rank != 0) {
      done = send(comm->peers[0], from, part) && receive(comm->peers[0], parts, all);
    } else {
      for (const auto& peer : comm->peers)
        done = done && receive(peer, parts + size_t(peer.rank) * part, part);
      for (const auto& peer : comm->peers) done = done && send(peer, parts, all);
    }
    if (!done) broken(*comm);
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
