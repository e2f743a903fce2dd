// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/detail/session_signature.h"

#include <algorithm>
#include <string_view>

#include "backend/onnx/detail/ort_values.h"

namespace cortex::backend {
namespace {

// One input or output of a session, as its type information says.
class SpecReader {
 public:
  SpecReader(const OrtLibrary& library, const OrtSession* session, bool inputs)
      : library_(library), session_(session), inputs_(inputs) {}

  Result<TensorSpec> read(std::size_t index) {
    const OrtApi& api = library_.api();
    TensorSpec out;
    CORTEX_RETURN_IF_ERROR(read_name(index, out.name));
    OrtTypeInfo* type = nullptr;
    CORTEX_RETURN_IF_ERROR(check(
        inputs_ ? api.SessionGetInputTypeInfo(session_, index, &type)
                : api.SessionGetOutputTypeInfo(session_, index, &type)
    ));
    const OrtOwned<OrtTypeInfo> owned(type, api.ReleaseTypeInfo);
    ONNXType kind = ONNX_TYPE_UNKNOWN;
    CORTEX_RETURN_IF_ERROR(check(api.GetOnnxTypeFromTypeInfo(type, &kind)));
    if (kind != ONNX_TYPE_TENSOR) return no_tensor(out.name, kind);
    const OrtTensorTypeAndShapeInfo* info = nullptr;
    CORTEX_RETURN_IF_ERROR(check(api.CastTypeInfoToTensorInfo(type, &info)));
    CORTEX_RETURN_IF_ERROR(read_tensor(info, out));
    return out;
  }

 private:
  Status check(OrtStatus* status) {
    const OrtFailure failure = library_.take(status);
    return failure.failed() ? failed_precondition(failure.text) : Status();
  }

  [[nodiscard]] std::string called(const std::string& name) const {
    return std::string(inputs_ ? "input '" : "output '") + name + "'";
  }

  Status read_name(std::size_t index, std::string& out) {
    const OrtApi& api = library_.api();
    char* name = nullptr;
    CORTEX_RETURN_IF_ERROR(check(
        inputs_ ? api.SessionGetInputName(session_, index, library_.allocator(), &name)
                : api.SessionGetOutputName(session_, index, library_.allocator(), &name)
    ));
    out = name;
    return check(api.AllocatorFree(library_.allocator(), name));
  }

  [[nodiscard]] Status no_tensor(const std::string& name, ONNXType kind) const {
    std::string_view what = "something unknown";
    if (kind == ONNX_TYPE_SEQUENCE) what = "a sequence";
    if (kind == ONNX_TYPE_MAP) what = "a map";
    if (kind == ONNX_TYPE_SPARSETENSOR) what = "a sparse tensor";
    if (kind == ONNX_TYPE_OPTIONAL) what = "an optional";
    if (kind == ONNX_TYPE_OPAQUE) what = "opaque";
    return failed_precondition(
        called(name) + " is " + std::string(what) + "; only tensors can be served"
    );
  }

  Status read_tensor(const OrtTensorTypeAndShapeInfo* info, TensorSpec& out) {
    const OrtApi& api = library_.api();
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    CORTEX_RETURN_IF_ERROR(check(api.GetTensorElementType(info, &type)));
    const auto datatype = datatype_of(type);
    if (!datatype) {
      return failed_precondition(
          called(out.name) + " has ONNX element type " + std::to_string(type) +
          ", which the protocol does not know"
      );
    }
    out.datatype = *datatype;
    std::size_t rank = 0;
    CORTEX_RETURN_IF_ERROR(check(api.GetDimensionsCount(info, &rank)));
    out.shape.resize(rank);
    CORTEX_RETURN_IF_ERROR(check(api.GetDimensions(info, out.shape.data(), rank)));
    for (std::int64_t& dimension : out.shape) dimension = std::max<std::int64_t>(dimension, -1);
    return {};
  }

  const OrtLibrary& library_;
  const OrtSession* session_;
  bool inputs_;
};

}  // namespace

Result<ModelSignature> session_signature(const OrtLibrary& library, const OrtSession* session) {
  const OrtApi& api = library.api();
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  OrtFailure failure = library.take(api.SessionGetInputCount(session, &inputs));
  if (!failure.failed()) failure = library.take(api.SessionGetOutputCount(session, &outputs));
  if (failure.failed()) return failed_precondition(failure.text);
  ModelSignature out;
  for (std::size_t i = 0; i < inputs; ++i) {
    CORTEX_ASSIGN_OR_RETURN(TensorSpec spec, SpecReader(library, session, true).read(i));
    out.inputs.push_back(std::move(spec));
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    CORTEX_ASSIGN_OR_RETURN(TensorSpec spec, SpecReader(library, session, false).read(i));
    out.outputs.push_back(std::move(spec));
  }
  return out;
}

}  // namespace cortex::backend
