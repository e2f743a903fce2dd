// SPDX-License-Identifier: Apache-2.0
#include "metrics/exposition.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace cortex::metrics {
namespace {

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 64> text;
    char* const last = text.data() + text.size();
    // As Prometheus' own clients write them: plain digits for what people read, exponents beyond.
    const double size = std::abs(value);
    const bool plain = value == 0 || (size >= 1e-4 && size < 1e15);
    const auto end = plain ? std::to_chars(text.data(), last, value, std::chars_format::fixed)
                           : std::to_chars(text.data(), last, value);
    out.append(text.data(), end.ptr);
  }
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kCounter:
      return "counter";
    case Type::kGauge:
      return "gauge";
    case Type::kHistogram:
      return "histogram";
  }
  return "untyped";
}

constexpr std::string_view kTotal = "_total";

}  // namespace

Form form_for(std::string_view accept) {
  return accept.find("application/openmetrics-text") == std::string_view::npos ? Form::kPrometheus
                                                                               : Form::kOpenMetrics;
}

std::string_view content_type(Form form) {
  return form == Form::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                    : "text/plain; version=0.0.4; charset=utf-8";
}

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  std::string_view shown = name;
  std::string_view kind = type_name(type);
  if (form_ == Form::kOpenMetrics && type == Type::kCounter) {
    if (name.ends_with(kTotal)) {
      shown.remove_suffix(kTotal.size());
    } else {
      kind = "unknown";
    }
  }
  out_.append("# HELP ").append(shown).append(" ");
  append_escaped(out_, help, form_ == Form::kOpenMetrics);
  out_.append("\n# TYPE ").append(shown).append(" ").append(kind).append("\n");
}

void Exposition::sample(std::span<const Label> labels, double value) {
  line("", labels, "", value);
}

void Exposition::histogram(
    std::span<const Label> labels, std::span<const double> bounds, const Histogram::Reading& reading
) {
  CHECK(reading.cumulative.size() == bounds.size() + 1, "a count for every bound and the total");
  std::string le;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    le.clear();
    append_number(le, bounds[i]);
    // OpenMetrics writes bounds as floats.
    if (form_ == Form::kOpenMetrics && le.find_first_of(".e") == std::string::npos) le += ".0";
    line("_bucket", labels, le, static_cast<double>(reading.cumulative[i]));
  }
  const auto total = static_cast<double>(reading.cumulative.back());
  line("_bucket", labels, "+Inf", total);
  line("_sum", labels, "", reading.sum);
  line("_count", labels, "", total);
}

void Exposition::line(
    std::string_view suffix, std::span<const Label> labels, std::string_view le, double value
) {
  out_.append(name_).append(suffix);
  char before = '{';
  for (const Label& label : labels) {
    out_ += before;
    out_.append(label.name).append("=\"");
    append_escaped(out_, label.value, true);
    out_ += '"';
    before = ',';
  }
  if (!le.empty()) {
    out_ += before;
    out_.append("le=\"").append(le).append("\"");
    before = ',';
  }
  if (before == ',') out_ += '}';
  out_ += ' ';
  append_number(out_, value);
  out_ += '\n';
}

std::string Exposition::finish() {
  if (form_ == Form::kOpenMetrics) out_ += "# EOF\n";
  return std::exchange(out_, {});
}

}  // namespace cortex::metrics
