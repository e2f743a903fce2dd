// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "frontend/http/exchange.h"
#include "store/artifact_store.h"

namespace cortex::frontend::mlflow {

// The answer to a GET or HEAD of an artifact, but for its bytes: those from `begin` up to `end`.
struct ArtifactReply {
  HttpReply head;  // 200, 206, 304 or 416
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// Looks at Range, If-Range and If-None-Match. One range of bytes is served; what is no such range
// is the whole, as RFC 9110 has it. The ETag is the digest, so a client can check what it got.
// Always an attachment under the last part of `path`, never to be shown as a page of ours. Pure.
[[nodiscard]] ArtifactReply make_artifact_reply(
    const HttpRequest& request, const store::Blob& blob, std::string_view path
);

// "text/plain" and so on, by the ending of a name; static text.
[[nodiscard]] std::string_view content_type_of(std::string_view path);

// attachment; filename="a.txt", with what is no plain text beside it in the form of RFC 5987.
[[nodiscard]] std::string attachment_of(std::string_view path);

}  // namespace cortex::frontend::mlflow
