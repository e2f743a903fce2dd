// SPDX-License-Identifier: Apache-2.0
#include "store/detail/s3_bucket.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/clock.h"
#include "store/detail/cortex_s3.h"

namespace cortex::store {
namespace {

cortex_s3_bytes bytes_of(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view_of(cortex_s3_bytes bytes) { return {bytes.data, bytes.size}; }

std::vector<cortex_s3_pair> pairs_of(const S3Pairs& pairs) {
  std::vector<cortex_s3_pair> out;
  for (const auto& [name, value] : pairs) out.push_back({bytes_of(name), bytes_of(value)});
  return out;
}

cortex_s3_text into(std::string& text) {
  return {&text, [](void* owner, cortex_s3_bytes bytes) {
            *static_cast<std::string*>(owner) = view_of(bytes);
          }};
}

}  // namespace

std::string_view method_name(S3Method method) {
  static constexpr std::array<std::string_view, 5> kNames{"GET", "HEAD", "PUT", "POST", "DELETE"};
  return kNames[static_cast<std::size_t>(method)];
}

Duration S3Listing::age(const S3Item& item) const {
  return std::chrono::seconds(std::max<std::int64_t>(0, now - std::min(now, item.unix_seconds)));
}

Result<std::unique_ptr<S3Bucket>> S3Bucket::make(const S3Options& options) {
  cortex_s3_place place{};
  place.endpoint = bytes_of(options.endpoint);
  place.path_style = options.path_style;
  place.name = bytes_of(options.bucket);
  place.region = bytes_of(options.region);
  place.key = bytes_of(options.credentials.key);
  place.secret = bytes_of(options.credentials.secret);
  place.token = bytes_of(options.credentials.token);
  cortex_s3_bucket* bucket = cortex_s3_bucket_new(&place);
  if (bucket != nullptr) return std::unique_ptr<S3Bucket>(new S3Bucket(bucket));
  return invalid_argument(
      "'" + options.endpoint + "' and the bucket '" + options.bucket + "' make no address"
  );
}

S3Bucket::~S3Bucket() { cortex_s3_bucket_free(bucket_); }

std::string S3Bucket::sign(const S3Target& target, std::chrono::seconds lifetime) const {
  const auto query = pairs_of(target.query);
  const auto headers = pairs_of(target.headers);
  cortex_s3_request request{};
  request.method = static_cast<std::int32_t>(target.method);
  request.object = bytes_of(target.object);
  request.query = query.data();
  request.query_count = query.size();
  request.headers = headers.data();
  request.headers_count = headers.size();
  request.unix_seconds = unix_milliseconds() / 1000;
  request.seconds = static_cast<std::uint64_t>(lifetime.count());
  std::string url;
  const cortex_s3_text text = into(url);
  CHECK(cortex_s3_sign(bucket_, &request, &text), "our own requests can be signed");
  return url;
}

std::string completion_of(const std::vector<std::string>& etags) {
  std::vector<cortex_s3_bytes> list;
  for (const std::string& etag : etags) list.push_back(bytes_of(etag));
  std::string body;
  const cortex_s3_text text = into(body);
  CHECK(cortex_s3_completion(list.data(), list.size(), &text), "ETags are text");
  return body;
}

std::optional<S3Listing> read_answer(S3Answer kind, std::string_view body) {
  S3Listing out;
  cortex_s3_reader reader{};
  reader.owner = &out;
  reader.item = [](void* owner, const cortex_s3_item* item) {
    static_cast<S3Listing*>(owner)->items.push_back(
        {std::string(view_of(item->key)),
         std::string(view_of(item->upload)),
         item->unix_seconds,
         item->size}
    );
  };
  reader.more = [](void* owner, cortex_s3_bytes key, cortex_s3_bytes upload) {
    static_cast<S3Listing*>(owner)->more.emplace(view_of(key), view_of(upload));
  };
  if (!cortex_s3_read(static_cast<std::int32_t>(kind), bytes_of(body), &reader)) return {};
  return out;
}

}  // namespace cortex::store
