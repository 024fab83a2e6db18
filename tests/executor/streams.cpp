#include "tests/executor/streams.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "tests/executor/queue.h"

namespace {

struct Capture;
using executor::Lane;
using executor::queue;
using executor::result;
using executor::Task;

}  // namespace

struct CUstream_st {
  bool is_blocking = false;  // waits for the legacy default stream, and that one for it
  std::shared_ptr<Lane> lane = std::make_shared<Lane>();
  std::shared_ptr<Capture> capture = nullptr;  // in which it takes part
  std::vector<size_t> tips = {};               // the recorded tasks that its next one comes after
};

struct CUevent_st {
  bool has_time = true;
  bool is_recorded = false;
  int64_t time = 0;                            // submitted_work when the event was recorded
  std::shared_ptr<Task> task = nullptr;        // its place in the queue; null: it has passed
  std::shared_ptr<Capture> capture = nullptr;  // in which it was recorded last
  std::vector<size_t> tips = {};               // its place there
};

namespace {

struct Recorded {
  std::function<void()> work;
  bool with_peers;
  cudaStream_t stream;
  std::vector<size_t> after;  // earlier ones
};

}  // namespace

struct CUgraph_st {
  std::vector<Recorded> tasks;  // in the order of the recording
};
struct CUgraphExec_st {
  std::vector<Recorded> tasks;
  std::shared_ptr<Task> end = nullptr;  // of its last launch: a graph does not overtake itself
};

namespace {

// From cudaStreamBeginCapture to cudaStreamEndCapture.
struct Capture {
  cudaStream_t origin;
  bool is_active = true, is_valid = true;
  std::set<cudaStream_t> streams;  // the origin, and those that joined by waiting for one of its events
  std::vector<Recorded> tasks;
};

// The executor's clock: it counts pieces of work instead of milliseconds. What is chosen by timing, such as an algorithm
// for matrix products, is then the same in every run.
int64_t submitted_work = 0;

std::set<std::shared_ptr<Capture>> captures;  // those that go on

CUstream_st& legacy_stream() {
  static auto& stream = *new CUstream_st{.is_blocking = true};
  return stream;
}

std::set<cudaStream_t>& blocking_streams() {
  static auto& streams = *new std::set<cudaStream_t>;
  return streams;
}

CUstream_st& stream_of(cudaStream_t handle) { return handle == nullptr ? legacy_stream() : *handle; }

cudaError_t invalidate(Capture& capture, cudaError_t error) {
  capture.is_valid = false;
  return result(error);
}

// The legacy stream waits for all blocking streams, which is impossible while one of them is captured.
cudaError_t check_use(const CUstream_st& stream) {
  if (stream.capture)
    return stream.capture->is_valid ? cudaSuccess : result(cudaErrorStreamCaptureInvalidated);
  if (&stream != &legacy_stream()) return cudaSuccess;
  for (const auto& blocking : blocking_streams())
    if (blocking->capture) return invalidate(*blocking->capture, cudaErrorStreamCaptureImplicit);
  return cudaSuccess;
}

// Adds a task to the stream's lane, after `before` too.
std::shared_ptr<Task> enqueue(const CUstream_st& stream, std::function<void()> work, bool with_peers,
                              const std::shared_ptr<Task>& before = nullptr) {
  auto task = std::make_shared<Task>();
  task->work = std::move(work);
  task->with_peers = with_peers;
  if (before) task->after.push_back(before);
  if (&stream == &legacy_stream()) {
    for (const cudaStream_t other : blocking_streams())
      if (other->lane->last) task->after.push_back(other->lane->last);
  } else if (stream.is_blocking && legacy_stream().lane->last) {
    task->after.push_back(legacy_stream().lane->last);
  }
  queue().add(stream.lane, task);
  return task;
}

void record(CUstream_st& stream, std::function<void()> work, bool with_peers) {
  auto& tasks = stream.capture->tasks;
  tasks.push_back({std::move(work), with_peers, &stream, std::exchange(stream.tips, {})});
  stream.tips = {tasks.size() - 1};
}

// A recorded event orders what comes after it in its own capture, and nothing else.
cudaError_t wait_for_recorded(CUstream_st& stream, const CUevent_st& event) {
  Capture& capture = *event.capture;
  if (!capture.is_active) return result(cudaErrorCapturedEvent);
  if (!capture.is_valid) return result(cudaErrorStreamCaptureInvalidated);
  if (&stream == &legacy_stream()) return invalidate(capture, cudaErrorStreamCaptureImplicit);
  if (stream.capture && stream.capture != event.capture) {
    invalidate(*stream.capture, cudaErrorStreamCaptureMerge);
    return invalidate(capture, cudaErrorStreamCaptureMerge);
  }
  stream.capture = event.capture;
  capture.streams.insert(&stream);
  for (const size_t tip : event.tips)
    if (std::count(stream.tips.begin(), stream.tips.end(), tip) == 0) stream.tips.push_back(tip);
  return cudaSuccess;
}

// Whether the origin has waited for all that was recorded.
bool is_joined(const Capture& capture) {
  std::vector<bool> reached(capture.tasks.size());
  std::vector<size_t> open = capture.origin->tips;
  while (!open.empty()) {
    const size_t task = open.back();
    open.pop_back();
    if (reached[task]) continue;
    reached[task] = true;
    open.insert(open.end(), capture.tasks[task].after.begin(), capture.tasks[task].after.end());
  }
  return std::count(reached.begin(), reached.end(), false) == 0;
}

void leave(Capture& capture) {
  capture.is_active = false;
  for (const cudaStream_t stream : capture.streams) {
    stream->capture = nullptr;
    stream->tips.clear();
  }
}

// Puts a graph's tasks into the queue, each recorded stream on a lane of its own.
void enqueue_graph(const CUstream_st& stream, CUgraphExec_st& graph) {
  const auto begin = enqueue(stream, nullptr, false, graph.end);
  std::map<cudaStream_t, std::shared_ptr<Lane>> lanes;
  std::vector<std::shared_ptr<Task>> tasks;
  for (const Recorded& recorded : graph.tasks) {
    auto task = std::make_shared<Task>();
    task->work = recorded.work;
    task->with_peers = recorded.with_peers;
    task->after = {begin};
    for (const size_t before : recorded.after) task->after.push_back(tasks[before]);
    auto& lane = lanes[recorded.stream];
    if (!lane) lane = std::make_shared<Lane>();
    queue().add(lane, task);
    tasks.push_back(task);
  }
  graph.end = enqueue(stream, nullptr, false);
  for (const auto& task : tasks) graph.end->after.push_back(task);
}

// For a call that asks what has become of an event.
cudaError_t check_question(const CUevent_st& event) {
  if (event.capture) {
    return event.capture->is_active ? invalidate(*event.capture, cudaErrorCapturedEvent)
                                    : result(cudaErrorCapturedEvent);
  }
  return executor::refuse_while_capturing();
}

bool is_over(const std::shared_ptr<Task>& task) { return !task || task->done; }

}  // namespace

// ---- streams

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  *stream = new CUstream_st{.is_blocking = (flags & cudaStreamNonBlocking) == 0};
  if ((*stream)->is_blocking) blocking_streams().insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream->capture) return invalidate(*stream->capture, cudaErrorStreamCaptureUnsupported);
  blocking_streams().erase(stream);
  delete stream;  // its lane lives until the last task has run
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const cudaError_t error = executor::refuse_while_capturing(stream == nullptr);
  if (error == cudaSuccess) executor::finish(stream);
  return error;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const cudaError_t error = executor::refuse_while_capturing(stream == nullptr);
  if (error != cudaSuccess) return error;
  queue().run_some();
  if (queue().coin()) executor::finish(stream);  // or else a loop that asks again and again would not end
  return is_over(stream_of(stream).lane->last) ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize() {
  const cudaError_t error = executor::refuse_while_capturing(true);
  if (error == cudaSuccess) queue().run_all();
  return error;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  CUstream_st& stream = stream_of(handle);
  if (const cudaError_t error = check_use(stream); error != cudaSuccess) return error;
  if (event->capture) return wait_for_recorded(stream, *event);
  if (!event->is_recorded) return cudaSuccess;
  if (stream.capture) return invalidate(*stream.capture, cudaErrorStreamCaptureIsolation);
  if (!is_over(event->task)) enqueue(stream, nullptr, false, event->task);
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* argument) {
  return executor::submit(stream, [=] { function(argument); });
}

// ---- events

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = new CUevent_st{.has_time = (flags & cudaEventDisableTiming) == 0};
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  CUstream_st& stream = stream_of(handle);
  if (const cudaError_t error = check_use(stream); error != cudaSuccess) return error;
  event->is_recorded = true;
  event->time = submitted_work;
  event->capture = stream.capture;
  event->tips = stream.tips;
  const bool is_queued = !stream.capture && !queue().runs_at_once();
  event->task = is_queued ? enqueue(stream, nullptr, false) : nullptr;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const cudaError_t error = check_question(*event);
  if (error == cudaSuccess) queue().run_until_done(event->task);
  return error;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const cudaError_t error = check_question(*event);
  if (error != cudaSuccess) return error;
  queue().run_some();
  if (queue().coin()) queue().run_until_done(event->task);
  return is_over(event->task) ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
  for (const cudaEvent_t event : {from, to}) {
    if (event->capture) return result(cudaErrorCapturedEvent);
    if (!event->has_time || !event->is_recorded) return result(cudaErrorInvalidResourceHandle);
    if (!is_over(event->task)) return result(cudaErrorNotReady);
  }
  *ms = float(to->time - from->time);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

// ---- captures and graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream == nullptr) return result(cudaErrorStreamCaptureUnsupported);
  if (stream->capture) return result(cudaErrorIllegalState);
  stream->capture = std::make_shared<Capture>(Capture{.origin = stream, .streams = {stream}, .tasks = {}});
  captures.insert(stream->capture);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (stream == nullptr || !stream->capture) return result(cudaErrorIllegalState);
  const auto capture = stream->capture;
  if (capture->origin != stream) return invalidate(*capture, cudaErrorStreamCaptureUnmatched);
  const cudaError_t error = !capture->is_valid     ? cudaErrorStreamCaptureInvalidated
                            : !is_joined(*capture) ? cudaErrorStreamCaptureUnjoined
                                                   : cudaSuccess;
  captures.erase(capture);
  leave(*capture);
  if (error == cudaSuccess) *graph = new CUgraph_st{std::move(capture->tasks)};
  return result(error);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->tasks};
  return cudaSuccess;
}

// A graph within a graph is more than the library needs.
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  const CUstream_st& stream = stream_of(handle);
  if (stream.capture) return invalidate(*stream.capture, cudaErrorStreamCaptureUnsupported);
  if (const cudaError_t error = check_use(stream); error != cudaSuccess) return error;
  if (queue().runs_at_once()) {
    for (const Recorded& task : executable->tasks) task.work();
  } else {
    enqueue_graph(stream, *executable);
    queue().run_some();
  }
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

namespace executor {

void order_streams(uint64_t seed, int rank) { queue().restart(seed, rank); }

cudaError_t refuse_while_capturing(bool on_legacy_stream) {
  cudaError_t error = on_legacy_stream ? check_use(legacy_stream()) : cudaSuccess;
  for (const auto& capture : captures) {
    if (error == cudaSuccess) error = cudaErrorStreamCaptureUnsupported;
    capture->is_valid = false;
  }
  return result(error);
}

bool is_capturing(cudaStream_t stream) { return stream_of(stream).capture != nullptr; }

void finish(cudaStream_t stream) {
  if (queue().runs_at_once()) return;
  if (stream == nullptr) enqueue(legacy_stream(), nullptr, false);  // after the blocking streams
  queue().run_until_done(stream_of(stream).lane->last);
}

cudaError_t submit(cudaStream_t handle, std::function<void()> work, bool with_peers) {
  CUstream_st& stream = stream_of(handle);
  if (const cudaError_t error = check_use(stream); error != cudaSuccess) return error;
  if (stream.capture) {
    record(stream, std::move(work), with_peers);
    return cudaSuccess;
  }
  ++submitted_work;
  if (queue().runs_at_once()) {
    work();
  } else {
    enqueue(stream, std::move(work), with_peers);
    queue().run_some();
  }
  return cudaSuccess;
}

}  // namespace executor
