// SPDX-License-Identifier: Apache-2.0
#include "app/artifact_place.h"

#include <algorithm>
#include <string>
#include <utility>

#include "config/loader.h"

namespace cortex::app {
namespace {

constexpr std::size_t kCredentialsBytesMax = 64 * 1024;
constexpr std::string_view kScheme = "s3://";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

void take_line(std::string_view line, store::S3Credentials& out) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view name = trim(line.substr(0, equals));
  const std::string_view value = trim(line.substr(equals + 1));
  if (name == "aws_access_key_id") out.key = value;
  if (name == "aws_secret_access_key") out.secret = value;
  if (name == "aws_session_token") out.token = value;
}

Result<store::S3Credentials> credentials_of(const config::ArtifactSettings& settings) {
  if (!settings.access_key.empty() || settings.credentials_file.empty()) {
    return store::S3Credentials{settings.access_key, settings.secret_key, settings.session_token};
  }
  CORTEX_ASSIGN_OR_RETURN(
      const std::string text, config::read_file(settings.credentials_file, kCredentialsBytesMax)
  );
  return parse_credentials(text);
}

struct TrafficFamily {
  std::string_view name;
  std::string_view help;
  std::uint64_t store::ArtifactTraffic::* count;
};

constexpr TrafficFamily kFamilies[] = {
    {"cortex_artifact_uploads_total",
     "Artifacts that were written to the bucket whole.",
     &store::ArtifactTraffic::uploads},
    {"cortex_artifact_downloads_total",
     "Artifacts that were opened in the bucket.",
     &store::ArtifactTraffic::downloads},
    {"cortex_artifact_sent_bytes_total",
     "Bytes of artifacts that went to the bucket, repeated ones too.",
     &store::ArtifactTraffic::bytes_sent},
    {"cortex_artifact_received_bytes_total",
     "Bytes of artifacts that came from the bucket.",
     &store::ArtifactTraffic::bytes_received},
    {"cortex_artifact_calls_total", "Calls to the bucket.", &store::ArtifactTraffic::calls},
    {"cortex_artifact_repeats_total",
     "Calls to the bucket that were made again after a failure.",
     &store::ArtifactTraffic::repeats},
    {"cortex_artifact_failures_total",
     "Calls to the bucket that were given up.",
     &store::ArtifactTraffic::failures},
};

}  // namespace

store::S3Credentials parse_credentials(std::string_view file) {
  store::S3Credentials out;
  bool ours = false;
  while (!file.empty()) {
    const std::size_t end = std::min(file.find('\n'), file.size());
    const std::string_view line = trim(file.substr(0, end));
    file.remove_prefix(std::min(end + 1, file.size()));
    if (line.starts_with('[')) {
      ours = line == "[default]";
    } else if (ours && !line.starts_with('#')) {
      take_line(line, out);
    }
  }
  return out;
}

Result<store::S3Options> bucket_options(const config::ArtifactSettings& settings) {
  if (!settings.url.starts_with(kScheme)) {
    return invalid_argument("store.artifacts.url: '" + settings.url + "' is no s3://BUCKET/PREFIX");
  }
  const std::string_view place = std::string_view(settings.url).substr(kScheme.size());
  const std::size_t slash = std::min(place.find('/'), place.size());
  store::S3Options options;
  options.bucket = place.substr(0, slash);
  if (slash < place.size()) options.prefix = place.substr(slash + 1);
  options.region = settings.region;
  options.endpoint = settings.endpoint.empty() ? "https://s3." + settings.region + ".amazonaws.com"
                                               : settings.endpoint;
  options.path_style = settings.path_style;
  options.ca_file = settings.ca_file;
  options.part_bytes = settings.part_bytes;
  options.connections = settings.connections;
  options.timeout = settings.timeout;
  auto credentials = credentials_of(settings);
  if (!credentials.ok()) return credentials.status().with_prefix("store.artifacts: ");
  options.credentials = std::move(credentials).value();
  return options;
}

Result<std::unique_ptr<store::ArtifactStore>> open_artifacts(
    const config::ArtifactSettings& settings, const std::filesystem::path& folder
) {
  if (settings.url.empty()) {
    auto opened = store::open_artifact_folder(folder);
    if (!opened.ok()) return opened.status().with_prefix("data: ");
    return opened;
  }
  CORTEX_ASSIGN_OR_RETURN(const store::S3Options options, bucket_options(settings));
  auto opened = store::open_artifact_s3(options);
  if (!opened.ok()) return opened.status().with_prefix("store.artifacts: ");
  return opened;
}

void write_artifact_traffic(metrics::Exposition& out, const store::ArtifactStore& artifacts) {
  const auto traffic = artifacts.traffic();
  if (!traffic) return;
  for (const TrafficFamily& family : kFamilies) {
    out.family(family.name, metrics::Type::kCounter, family.help);
    out.sample({}, static_cast<double>((*traffic).*family.count));
  }
}

}  // namespace cortex::app
