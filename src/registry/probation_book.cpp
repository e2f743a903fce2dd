// SPDX-License-Identifier: Apache-2.0
#include "registry/probation_book.h"

#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

#include "base/json_value.h"
#include "base/log.h"
#include "registry/fingerprint.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t kVerdictsMax = 10'000;
constexpr std::uintmax_t kFileBytesMax = 64 << 20;
constexpr std::string_view kVerdicts = "verdicts";
constexpr std::string_view kMarker = "running-";

json::object key_json(const ProbationKey& key) {
  return {
      {"model", key.model},
      {"version", key.version},
      {"fingerprint", key.fingerprint},
      {"engine", key.engine}
  };
}

std::string line_of(const ProbationKey& key, const ProbationVerdict& verdict) {
  json::object out = key_json(key);
  out["passed"] = verdict.passed;
  out["reason"] = verdict.reason;
  out["limits"] = verdict.limits;
  out["resident_bytes"] = verdict.resident_bytes;
  out["peak_bytes"] = verdict.peak_bytes;
  return json::serialize(out) + "\n";
}

// Nothing for a line that is none of ours.
template <typename T>
bool take(const json::object& line, const char* name, T& into) {
  const auto* value = line.if_contains(name);
  if (value == nullptr) return false;
  const auto out = json::try_value_to<T>(*value);
  if (out.has_value()) into = *out;
  return out.has_value();
}

std::optional<json::object> parse_line(const std::string& text) {
  auto parsed = parse_json_value(text);
  if (!parsed.ok() || !parsed->is_object()) return std::nullopt;
  return std::move(parsed->get_object());
}

std::optional<ProbationKey> read_key(const json::object& line) {
  ProbationKey out;
  const bool whole = take(line, "model", out.model) && take(line, "version", out.version) &&
                     take(line, "fingerprint", out.fingerprint) && take(line, "engine", out.engine);
  return whole ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<ProbationVerdict> read_verdict(const json::object& line) {
  ProbationVerdict out;
  const bool whole = take(line, "passed", out.passed) && take(line, "reason", out.reason) &&
                     take(line, "limits", out.limits) &&
                     take(line, "resident_bytes", out.resident_bytes) &&
                     take(line, "peak_bytes", out.peak_bytes);
  return whole ? std::optional(std::move(out)) : std::nullopt;
}

void remove_file(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

std::vector<fs::path> markers(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(kMarker)) out.push_back(it->path());
  }
  return out;
}

void say_not_kept(const fs::path& file) {
  log::warning("a verdict of a probation is not kept", {{"file", file.string()}});
}

}  // namespace

ProbationBook::ProbationBook(fs::path folder) : folder_(std::move(folder)) {
  if (folder_.empty()) return;
  std::error_code error;
  fs::create_directories(folder_, error);
  MutexLock lock(mutex_);
  read_verdicts_locked();
  read_markers_locked();
}

std::optional<ProbationVerdict> ProbationBook::find(const ProbationKey& key) const {
  MutexLock lock(mutex_);
  const auto found = verdicts_.find(key);
  return found == verdicts_.end() ? std::nullopt : std::optional(found->second.verdict);
}

void ProbationBook::begin(const ProbationKey& key) {
  if (folder_.empty()) return;
  std::ofstream out(marker(key), std::ios::binary);
  out << json::serialize(key_json(key));
  out.close();
  if (!out) say_not_kept(marker(key));
}

void ProbationBook::end(const ProbationKey& key, std::optional<ProbationVerdict> verdict) {
  if (verdict) {
    MutexLock lock(mutex_);
    remember_locked(key, std::move(*verdict));
    save_locked();
  }
  if (folder_.empty()) return;
  // Last: a process that ends in between rather tries the version once more than never again.
  remove_file(marker(key));
}

void ProbationBook::excuse() const {
  for (const fs::path& path : markers(folder_)) remove_file(path);
}

void ProbationBook::remember_locked(const ProbationKey& key, ProbationVerdict verdict) {
  const auto [place, fresh] = verdicts_.try_emplace(key);
  if (!fresh) by_age_.erase(place->second.age);
  place->second.verdict = std::move(verdict);
  place->second.age = by_age_.insert(by_age_.end(), &place->first);
  if (verdicts_.size() <= kVerdictsMax) return;
  const ProbationKey oldest = *by_age_.front();
  by_age_.pop_front();
  verdicts_.erase(oldest);
}

void ProbationBook::read_verdicts_locked() {
  const fs::path file = folder_ / kVerdicts;
  std::error_code error;
  const auto size = fs::file_size(file, error);
  if (error || size > kFileBytesMax) return;
  std::ifstream in(file, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    const auto parsed = parse_line(line);
    if (!parsed) continue;
    const auto key = read_key(*parsed);
    auto verdict = read_verdict(*parsed);
    if (key && verdict) remember_locked(*key, std::move(*verdict));
  }
}

void ProbationBook::read_markers_locked() {
  const auto paths = markers(folder_);
  for (const fs::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    std::string text;
    std::getline(in, text);
    const auto line = parse_line(text);
    const auto key = line ? read_key(*line) : std::nullopt;
    if (!key) continue;
    ProbationVerdict verdict;
    verdict.reason = "the server ended without a word while it was on probation";
    log::warning(
        "a version is in quarantine",
        {{"model", key->model}, {"version", key->version}, {"reason", verdict.reason}}
    );
    remember_locked(*key, std::move(verdict));
  }
  if (paths.empty()) return;
  save_locked();
  for (const fs::path& path : paths) remove_file(path);
}

// Whole or not at all.
void ProbationBook::save_locked() const {
  if (folder_.empty()) return;
  const fs::path file = folder_ / kVerdicts;
  const fs::path incoming = folder_ / "verdicts.new";
  std::ofstream out(incoming, std::ios::binary);
  for (const ProbationKey* key : by_age_) out << line_of(*key, verdicts_.at(*key).verdict);
  out.close();
  std::error_code error;
  if (out) fs::rename(incoming, file, error);
  if (!out || error) say_not_kept(file);
}

fs::path ProbationBook::marker(const ProbationKey& key) const {
  Fingerprint name;
  name.add(key.model);
  name.add(static_cast<std::uint64_t>(key.version));
  name.add(key.fingerprint);
  name.add(key.engine);
  return folder_ / (std::string(kMarker) + std::to_string(name.value()));
}

}  // namespace cortex::registry
