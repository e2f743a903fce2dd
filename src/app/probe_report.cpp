// SPDX-License-Identifier: Apache-2.0
#include "app/probe_report.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

namespace cortex::app {
namespace {

namespace json = boost::json;

template <typename T>
std::optional<T> member(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return std::nullopt;
  const auto out = json::try_value_to<T>(*value);
  return out.has_value() ? std::optional<T>(*out) : std::nullopt;
}

std::optional<Status> read_status(const json::object& object) {
  const auto code = member<int>(object, "code");
  const auto text = member<std::string>(object, "text");
  const auto detail = member<std::string>(object, "detail");
  if (!code || !text || !detail) return std::nullopt;
  if (*code == 0) return Status();
  if (*code < 0 || *code > static_cast<int>(Code::kUnauthenticated)) return std::nullopt;
  return Status(static_cast<Code>(*code), *text, Detail{*detail});
}

}  // namespace

std::string report_text(const ProbeReport& report) {
  const json::object out{
      {"code", static_cast<int>(report.status.code())},
      {"text", report.status.text()},
      {"detail", report.status.detail()},
      {"resident_bytes", report.resident_bytes},
      {"peak_bytes", report.peak_bytes},
      {"seconds", report.seconds}
  };
  return json::serialize(out) + "\n";
}

std::optional<ProbeReport> parse_report(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !parsed.is_object()) return std::nullopt;
  const json::object& object = parsed.get_object();
  const auto status = read_status(object);
  const auto resident = member<std::uint64_t>(object, "resident_bytes");
  const auto peak = member<std::uint64_t>(object, "peak_bytes");
  const auto seconds = member<double>(object, "seconds");
  if (!status || !resident || !peak || !seconds) return std::nullopt;
  return ProbeReport{*status, *resident, *peak, *seconds};
}

}  // namespace cortex::app
