// SPDX-License-Identifier: Apache-2.0
// The bytes of a connection: however they are sliced, the requests in them are the same.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "frontend/http/request_reader.h"

namespace {

using cortex::frontend::BodyBudget;
using cortex::frontend::RequestReader;

constexpr std::size_t kHeaderLimit = 4096;
constexpr std::size_t kBodyLimit = 64 * 1024;

// Every request and the final refusal as one text.
class Transcript {
 public:
  // False when the reader has had enough.
  bool advance(RequestReader& reader) {
    for (;;) {
      switch (reader.advance()) {
        case RequestReader::Event::kNeedMore:
          return true;
        case RequestReader::Event::kHead:
          reader.accept_body(kBodyLimit);
          break;
        case RequestReader::Event::kPart:
          break;
        case RequestReader::Event::kRequest:
          add_request(reader);
          reader.next();
          break;
        case RequestReader::Event::kRefused:
          text_ += "refused " + std::to_string(reader.fault().http_status);
          return false;
      }
    }
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void add_request(RequestReader& reader) {
    const auto& request = reader.request();
    CHECK(request.body != nullptr && request.body->size() <= kBodyLimit, "the body has its limit");
    text_.append(request.path).append(" ").append(request.query).append(" ");
    for (const auto& [name, value] : request.headers) text_.append(name).append(value);
    text_.append(request.body->text()).append("\n");
  }

  std::string text_;
};

std::string read_in_slices(std::string_view bytes, std::size_t slice) {
  auto budget = std::make_shared<BodyBudget>(1024 * 1024);
  Transcript transcript;
  {
    RequestReader reader(kHeaderLimit, budget);
    while (!bytes.empty()) {
      const auto space = reader.space();
      CHECK(!space.empty(), "a reader that waits has room");
      const std::size_t size = std::min({slice, space.size(), bytes.size()});
      std::memcpy(space.data(), bytes.data(), size);
      reader.commit(size);
      bytes.remove_prefix(size);
      if (!transcript.advance(reader)) break;
    }
  }
  CHECK(budget->used() == 0, "a body gives its memory back");
  return transcript.text();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t slice = 1 + data[0] % 32;
  CHECK(
      read_in_slices(bytes, slice) == read_in_slices(bytes, bytes.size() + 1),
      "slices make no difference"
  );
  return 0;
}
