// SPDX-License-Identifier: Apache-2.0
#include "store/detail/s3_objects.h"

#include <algorithm>
#include <array>

#include <openssl/evp.h>

#include "base/check.h"

namespace cortex::store {
namespace {

// The server compares it with what came.
std::string content_md5(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const int made = EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr);
  CHECK(made == 1 && size == 16, "MD5 takes bytes");
  std::array<unsigned char, 32> text{};
  const int length = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(length)};
}

S3Call call_of(S3Method method, std::string object, S3Pairs query = {}) {
  S3Call call;
  call.target.method = method;
  call.target.object = std::move(object);
  call.target.query = std::move(query);
  return call;
}

Status broken(const S3Name& name) {
  return {Code::kDataLoss, "a blob is not what its digest says", {name.digest}};
}

// "bytes 0-99/100" begins where it was asked to.
bool begins_at(const net::HttpResponse& head, std::uint64_t begin) {
  if (head.status == 200) return begin == 0;
  return head.header("content-range").starts_with("bytes " + std::to_string(begin) + "-");
}

}  // namespace

Status S3Objects::put(const std::string& key, std::string_view bytes) const {
  S3Call call = call_of(S3Method::kPut, key);
  call.target.headers = {{"content-md5", content_md5(bytes)}};
  call.body = bytes;
  return calls_.run(call).status();
}

Status S3Objects::remove(const std::string& key) const {
  const Status status = calls_.run(call_of(S3Method::kDelete, key)).status();
  return status.code() == Code::kNotFound ? Status() : status;
}

Result<S3Listing> S3Objects::list(
    const std::string& prefix, const std::string& after, const std::string& token
) const {
  S3Call call = call_of(
      S3Method::kGet, "", {{"encoding-type", "url"}, {"list-type", "2"}, {"prefix", prefix}}
  );
  if (!after.empty()) call.target.query.emplace_back("start-after", after);
  if (!token.empty()) call.target.query.emplace_back("continuation-token", token);
  return calls_.read(S3Answer::kObjects, call);
}

Result<std::vector<S3Found>> S3Objects::find(const std::string& digest) const {
  CORTEX_ASSIGN_OR_RETURN(const S3Listing listing, list(names_.names_of(digest), {}, {}));
  std::vector<S3Found> out;
  for (const S3Item& item : listing.items) {
    if (auto name = names_.read(item.key)) out.push_back({std::move(*name), listing.age(item)});
  }
  std::sort(out.begin(), out.end(), [](const S3Found& a, const S3Found& b) {
    return a.age < b.age;
  });
  return out;
}

Result<std::string> S3Objects::begin_upload(const std::string& key) const {
  CORTEX_ASSIGN_OR_RETURN(
      const S3Listing created,
      calls_.read(S3Answer::kCreated, call_of(S3Method::kPost, key, {{"uploads", ""}}))
  );
  return created.items.front().upload;
}

Result<std::string> S3Objects::put_part(
    const std::string& key, const std::string& upload, std::size_t number, std::string_view bytes
) const {
  S3Call call =
      call_of(S3Method::kPut, key, {{"partNumber", std::to_string(number)}, {"uploadId", upload}});
  call.target.headers = {{"content-md5", content_md5(bytes)}};
  call.body = bytes;
  CORTEX_ASSIGN_OR_RETURN(const net::HttpResponse response, calls_.run(call));
  const std::string_view etag = response.header("etag");
  if (!etag.empty()) return std::string(etag);
  return Status(Code::kInternal, "the artifact store refused a request", Detail{"no ETag"});
}

Status S3Objects::complete_upload(
    const std::string& key, const std::string& upload, const std::vector<std::string>& etags
) const {
  S3Call call = call_of(S3Method::kPost, key, {{"uploadId", upload}});
  call.target.headers = {{"content-type", "application/xml"}};
  const std::string body = completion_of(etags);
  call.body = body;
  const Status status = calls_.read(S3Answer::kCompleted, call).status();
  if (status.code() != Code::kNotFound) return status;
  // It is forgotten when it is complete, and the answer to the first of two calls may be lost.
  return calls_.run(call_of(S3Method::kHead, key)).status();
}

Status S3Objects::abort_upload(const std::string& key, const std::string& upload) const {
  const S3Call call = call_of(S3Method::kDelete, key, {{"uploadId", upload}});
  const Status status = calls_.run(call).status();
  return status.code() == Code::kNotFound ? Status() : status;
}

Result<S3Listing> S3Objects::list_uploads(
    const std::string& prefix, const std::pair<std::string, std::string>& from
) const {
  S3Call call = call_of(S3Method::kGet, "", {{"prefix", prefix}, {"uploads", ""}});
  if (!from.first.empty()) call.target.query.emplace_back("key-marker", from.first);
  if (!from.second.empty()) call.target.query.emplace_back("upload-id-marker", from.second);
  return calls_.read(S3Answer::kUploads, call);
}

Status S3Objects::fetch(S3Name& name, std::uint64_t begin, std::uint64_t end, const S3Sink& sink)
    const {
  S3Patience patience(calls_.patience());
  while (begin < end) {
    const std::uint64_t before = begin;
    S3Calls::Attempt attempt{Status(Code::kUnknown, "")};
    const Status status = fetch_once(name, begin, end, sink, attempt);
    if (begin == end) break;
    if (begin > before) patience.renew();
    if (status.code() == Code::kNotFound) {
      CORTEX_ASSIGN_OR_RETURN(const auto names, find(name.digest));
      if (names.empty() || names.front().name.id == name.id) return status;
      name = names.front().name;
      continue;
    }
    if (!attempt.again || !patience.wait(attempt.pause)) {
      calls_.count_failure();
      return status.ok() ? broken(name) : status;
    }
    calls_.count_repeat();
  }
  return {};
}

// Moves `begin` over what the sink took.
Status S3Objects::fetch_once(
    const S3Name& name,
    std::uint64_t& begin,
    std::uint64_t end,
    const S3Sink& sink,
    S3Calls::Attempt& attempt
) const {
  S3Call call = call_of(S3Method::kGet, names_.bytes_key(name));
  call.target.headers = {{"range", "bytes=" + std::to_string(begin) + "-" + std::to_string(end - 1)}
  };
  const std::uint64_t asked = begin;
  call.sink = [&](const net::HttpResponse& head, std::string_view bytes) -> Status {
    if (!begins_at(head, asked) || bytes.size() > end - begin) return broken(name);
    CORTEX_RETURN_IF_ERROR(sink(std::as_bytes(std::span(bytes.data(), bytes.size()))));
    begin += bytes.size();
    calls_.count_received(bytes.size());
    return {};
  };
  attempt = calls_.attempt(call);
  return attempt.response.status();
}

}  // namespace cortex::store
