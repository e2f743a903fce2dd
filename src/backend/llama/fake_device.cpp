// SPDX-License-Identifier: Apache-2.0
// A library of a device as ggml opens them beside its own: a "GPU" that leaves its work to the
// processor, in memory of its own. FAKE_API_VERSION and FAKE_SCORE are what it tells ggml of
// itself.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <ggml-backend-impl.h>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

constexpr const char* kName = "FAKE0";
constexpr const char* kDescription = "a GPU of the tests";
constexpr std::size_t kMemory = std::size_t{1} << 30;
constexpr std::size_t kAlignment = 64;

std::atomic<std::size_t> used{0};

ggml_backend_dev_t processor() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }
ggml_backend_dev_t device();
ggml_backend_buffer_type_t memory();

char* at(ggml_tensor* tensor, std::size_t offset) {
  return static_cast<char*>(tensor->data) + offset;
}
const char* at(const ggml_tensor* tensor, std::size_t offset) {
  return static_cast<const char*>(tensor->data) + offset;
}

ggml_backend_buffer_i buffer_functions() {
  ggml_backend_buffer_i out{};
  out.free_buffer = [](ggml_backend_buffer_t buffer) {
    used -= buffer->size;
    std::free(buffer->context);
  };
  out.get_base = [](ggml_backend_buffer_t buffer) { return buffer->context; };
  out.memset_tensor = [](ggml_backend_buffer_t,
                         ggml_tensor* tensor,
                         std::uint8_t value,
                         std::size_t offset,
                         std::size_t size) { std::memset(at(tensor, offset), value, size); };
  out.set_tensor = [](ggml_backend_buffer_t,
                      ggml_tensor* tensor,
                      const void* data,
                      std::size_t offset,
                      std::size_t size) { std::memcpy(at(tensor, offset), data, size); };
  out.get_tensor = [](ggml_backend_buffer_t,
                      const ggml_tensor* tensor,
                      void* data,
                      std::size_t offset,
                      std::size_t size) { std::memcpy(data, at(tensor, offset), size); };
  out.clear = [](ggml_backend_buffer_t buffer, std::uint8_t value) {
    std::memset(buffer->context, value, buffer->size);
  };
  return out;
}

ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, std::size_t size) {
  const std::size_t whole = (size + kAlignment) / kAlignment * kAlignment;
  void* bytes = std::aligned_alloc(kAlignment, whole);
  if (bytes == nullptr) return nullptr;
  used += size;
  return ggml_backend_buffer_init(type, buffer_functions(), bytes, size);
}

ggml_backend_buffer_type_t memory() {
  static ggml_backend_buffer_type out = [] {
    ggml_backend_buffer_type type{};
    type.iface.get_name = [](ggml_backend_buffer_type_t) { return kName; };
    type.iface.alloc_buffer = allocate;
    type.iface.get_alignment = [](ggml_backend_buffer_type_t) { return kAlignment; };
    type.iface.is_host = [](ggml_backend_buffer_type_t) { return true; };
    type.device = device();
    return type;
  }();
  return &out;
}

ggml_guid_t guid() {
  static ggml_guid out = {0xC0, 0x47, 0xE4, 1};
  return &out;
}

// One thread: more of them would spin for the cores of the tests.
ggml_backend_t init_processor() {
  ggml_backend_t out = ggml_backend_dev_init(processor(), nullptr);
  ggml_backend_reg_t of = ggml_backend_dev_backend_reg(processor());
  const auto set_threads = reinterpret_cast<ggml_backend_set_n_threads_t>(
      ggml_backend_reg_get_proc_address(of, "ggml_backend_set_n_threads")
  );
  if (set_threads != nullptr) set_threads(out, 1);
  return out;
}

ggml_backend_t init_stream(ggml_backend_dev_t of, const char* /*parameters*/) {
  auto* out = new ggml_backend{};
  out->guid = guid();
  out->device = of;
  out->context = init_processor();
  out->iface.get_name = [](ggml_backend_t) { return kName; };
  out->iface.free = [](ggml_backend_t stream) {
    ggml_backend_free(static_cast<ggml_backend_t>(stream->context));
    delete stream;
  };
  out->iface.graph_compute = [](ggml_backend_t stream, ggml_cgraph* graph) {
    return ggml_backend_graph_compute(static_cast<ggml_backend_t>(stream->context), graph);
  };
  return out;
}

void tell_memory(ggml_backend_dev_t /*device*/, std::size_t* free, std::size_t* total) {
  *free = kMemory - used;
  *total = kMemory;
}

ggml_backend_device_i device_functions() {
  ggml_backend_device_i out{};
  out.get_name = [](ggml_backend_dev_t) { return kName; };
  out.get_description = [](ggml_backend_dev_t) { return kDescription; };
  out.get_memory = tell_memory;
  out.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; };
  out.get_props = [](ggml_backend_dev_t, ggml_backend_dev_props* props) {
    *props = {};
    props->name = kName;
    props->description = kDescription;
    props->type = GGML_BACKEND_DEVICE_TYPE_GPU;
    tell_memory(nullptr, &props->memory_free, &props->memory_total);
  };
  out.init_backend = init_stream;
  out.get_buffer_type = [](ggml_backend_dev_t) { return memory(); };
  out.supports_op = [](ggml_backend_dev_t, const ggml_tensor* operation) {
    return ggml_backend_dev_supports_op(processor(), operation);
  };
  out.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
    return ggml_backend_buft_is_host(type);
  };
  return out;
}

ggml_backend_reg_t library() {
  static ggml_backend_reg out = [] {
    ggml_backend_reg made{};
    made.api_version = FAKE_API_VERSION;
    made.iface.get_name = [](ggml_backend_reg_t) { return "fake"; };
    made.iface.get_device_count = [](ggml_backend_reg_t) { return std::size_t{1}; };
    made.iface.get_device = [](ggml_backend_reg_t, std::size_t) { return device(); };
    return made;
  }();
  return &out;
}

ggml_backend_dev_t device() {
  static ggml_backend_device out = {device_functions(), library(), nullptr};
  return &out;
}

}  // namespace

EXPORTED ggml_backend_reg_t ggml_backend_init() { return library(); }
EXPORTED int ggml_backend_score() { return FAKE_SCORE; }
