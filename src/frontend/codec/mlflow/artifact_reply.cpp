// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/artifact_reply.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "store/artifact_path.h"

namespace cortex::frontend::mlflow {
namespace {

struct NamedType {
  std::string_view ending;
  std::string_view type;
};

// Markup is plain text here: nothing of it shall run.
constexpr NamedType kTypes[] = {
    {".json", "application/json"}, {".csv", "text/csv"},        {".png", "image/png"},
    {".jpg", "image/jpeg"},        {".jpeg", "image/jpeg"},     {".gif", "image/gif"},
    {".pdf", "application/pdf"},   {".zip", "application/zip"}, {".gz", "application/gzip"},
    {".txt", "text/plain"},        {".log", "text/plain"},      {".md", "text/plain"},
    {".yaml", "text/plain"},       {".yml", "text/plain"},      {".py", "text/plain"},
    {".cfg", "text/plain"},        {".ini", "text/plain"},      {".toml", "text/plain"},
    {".html", "text/plain"},       {".htm", "text/plain"},      {".xml", "text/plain"},
    {".svg", "text/plain"},        {".js", "text/plain"},
};

std::string_view name_of(std::string_view path) { return store::split_artifact_path(path).second; }

bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\' && c != '%'; }

// The characters that RFC 5987 lets stand.
bool is_attribute_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$&+-.^_`|~").find(c) != std::string_view::npos;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  // More than can be said is more than there is.
  if (error == std::errc::result_out_of_range) return ~std::uint64_t{0};
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // behind the last; not above begin: nothing of it is there
};

// "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-COUNT"; empty when it is anything else.
std::optional<ByteRange> parse_range(std::string_view text, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = text.substr(dash + 1);
  if (first.empty()) {
    const auto count = parse_number(last);
    if (!count) return std::nullopt;
    return ByteRange{size - std::min(*count, size), *count == 0 ? 0 : size};
  }
  const auto begin = parse_number(first);
  const auto to = last.empty() ? std::optional(~std::uint64_t{0}) : parse_number(last);
  if (!begin || !to || *to < *begin) return std::nullopt;
  return ByteRange{*begin, *to >= size ? size : *to + 1};
}

std::string etag_of(const store::Blob& blob) { return '"' + blob.digest + '"'; }

// True when a list of entity tags, or "*", names `tag`; a weak one counts as itself.
bool names_tag(std::string_view list, std::string_view tag) {
  return list == "*" || list.find(tag) != std::string_view::npos;
}

std::optional<ByteRange> wanted_range(const HttpRequest& request, const store::Blob& blob) {
  if (request.method != Method::kGet) return std::nullopt;
  const std::string_view condition = request.header("if-range");
  if (!condition.empty() && condition != etag_of(blob)) return std::nullopt;
  return parse_range(request.header("range"), blob.size);
}

void make_partial(ArtifactReply& reply, const ByteRange& range, std::uint64_t size) {
  const bool there = range.begin < range.end;
  std::string place = "bytes ";
  if (there) {
    place += std::to_string(range.begin) + "-" + std::to_string(range.end - 1);
  } else {
    place += "*";
  }
  reply.head.headers.emplace_back("Content-Range", place + "/" + std::to_string(size));
  reply.head.status = there ? 206 : 416;
  reply.begin = there ? range.begin : 0;
  reply.end = there ? range.end : 0;
}

}  // namespace

std::string_view content_type_of(std::string_view path) {
  const std::string_view name = name_of(path);
  if (name == "MLmodel" || name == "MLproject") return "text/plain";
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

std::string attachment_of(std::string_view path) {
  const std::string_view name = name_of(path);
  std::string out = "attachment; filename=\"";
  for (const char c : name) out.push_back(is_plain(c) ? c : '_');
  out.push_back('"');
  if (std::all_of(name.begin(), name.end(), is_plain)) return out;
  static constexpr char kDigits[] = "0123456789ABCDEF";
  out.append("; filename*=UTF-8''");
  for (const char c : name) {
    if (is_attribute_character(c)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return out;
}

ArtifactReply make_artifact_reply(
    const HttpRequest& request, const store::Blob& blob, std::string_view path
) {
  ArtifactReply reply;
  reply.end = blob.size;
  reply.head.content_type = content_type_of(path);
  reply.head.headers = {
      {"Content-Disposition", attachment_of(path)},
      {"X-Content-Type-Options", "nosniff"},
      {"ETag", etag_of(blob)},
      {"Accept-Ranges", "bytes"},
      {"Cache-Control", "private, no-cache"},
  };
  if (names_tag(request.header("if-none-match"), etag_of(blob))) {
    reply.head.status = 304;
    reply.end = 0;
  } else if (const auto range = wanted_range(request, blob)) {
    make_partial(reply, *range, blob.size);
  }
  return reply;
}

}  // namespace cortex::frontend::mlflow
