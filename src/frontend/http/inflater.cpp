// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/inflater.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace cortex::frontend {

struct Inflater::Impl {
  z_stream stream{};
  bool gzip = false;
  bool ended = false;
};

Inflater::Inflater(ContentCoding coding) : impl_(std::make_unique<Impl>()) {
  impl_->gzip = coding == ContentCoding::kGzip;
  // 16 asks zlib for the gzip wrapping.
  const int window_bits = impl_->gzip ? 15 + 16 : 15;
  CHECK(inflateInit2(&impl_->stream, window_bits) == Z_OK, "out of memory");
}

Inflater::~Inflater() { inflateEnd(&impl_->stream); }

bool Inflater::complete() const { return impl_->ended; }

Inflater::Outcome Inflater::unpack(std::string_view& input, std::span<std::byte>& space) {
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  z_stream& stream = impl_->stream;
  for (;;) {
    if (impl_->ended) {
      if (input.empty()) return Outcome::kNeedInput;
      // A gzip file may be several members behind each other; a zlib stream ends once.
      if (!impl_->gzip || inflateReset(&stream) != Z_OK) return Outcome::kMalformed;
      impl_->ended = false;
    }
    if (space.empty()) return Outcome::kNeedSpace;
    const auto in = static_cast<uInt>(std::min(input.size(), kMost));
    const auto out = static_cast<uInt>(std::min(space.size(), kMost));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream.avail_in = in;
    stream.next_out = reinterpret_cast<Bytef*>(space.data());
    stream.avail_out = out;
    const int result = inflate(&stream, Z_NO_FLUSH);
    input.remove_prefix(in - stream.avail_in);
    space = space.subspan(out - stream.avail_out);
    impl_->ended = result == Z_STREAM_END;
    if (result == Z_BUF_ERROR) return input.empty() ? Outcome::kNeedInput : Outcome::kMalformed;
    if (result != Z_OK && result != Z_STREAM_END) return Outcome::kMalformed;
    // With space left zlib holds nothing back.
    if (!impl_->ended && input.empty() && !space.empty()) return Outcome::kNeedInput;
  }
}

}  // namespace cortex::frontend
