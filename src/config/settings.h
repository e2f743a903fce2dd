// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"

namespace cortex::config {

// What a server can be told, one struct per room; the values below are the defaults. The table in
// setting_table.cpp gives every member its name in the file, its flag, its variable, its range and
// its sentence of documentation.

struct HttpSettings {
  std::string host = "127.0.0.1";
  std::uint64_t port = 8000;
  std::uint64_t io_threads = 0;  // 0: chosen from the cores
  std::uint64_t idle_poll_us = 100;
  std::vector<std::string> cors_origins;
};

// Where a single client, or all of them together, meet a wall.
struct LimitSettings {
  std::uint64_t connections = 4096;
  std::uint64_t header_bytes = 16ull << 10;
  std::uint64_t body_bytes = 64ull << 20;
  std::uint64_t body_bytes_total = 1ull << 30;
  std::uint64_t json_depth = 64;
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds write_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::uint64_t queue_requests = 512;  // of one model
};

// What each principal may do whose key says nothing; 0: no limit.
struct QuotaSettings {
  std::uint64_t requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t concurrent_requests = 0;
  std::uint64_t principals = 100'000;
};

// WebSockets on which models answer.
struct SocketSettings {
  std::uint64_t generations = 16;            // of one, at a time
  std::uint64_t message_bytes = 1ull << 20;  // of a client
  std::chrono::milliseconds ping_interval{20'000};
  std::chrono::milliseconds idle_timeout{300'000};
};

struct MetricsSettings {
  std::uint64_t port = 8002;  // 0: off; /metrics is on the HTTP port too
  std::uint64_t series = 1000;
};

enum class ModelControl : std::uint8_t { kNone, kPoll, kExplicit };

struct ModelSettings {
  std::vector<std::string> repositories;
  ModelControl control = ModelControl::kNone;
  std::vector<std::string> load;
  std::uint64_t loader_threads = 1;
  std::uint64_t stored_versions = 2;
  std::string default_alias;
  bool fallback = true;
  std::chrono::milliseconds poll_interval{15'000};
  bool probation = true;
  std::chrono::milliseconds probation_deadline{300'000};
  std::uint64_t probation_memory = 0;  // 0: seven eighths of what is free
};

// LoRA adapters of language models.
struct AdapterSettings {
  std::string folder;  // empty: none can be registered
  std::vector<std::string> api_keys;
  std::uint64_t max_per_model = 20;
  std::uint64_t memory = 0;  // 0: no bound
  std::uint64_t file_bytes = 4ull << 30;
  std::vector<std::string> training_methods;  // empty: all
  std::chrono::milliseconds wait{10'000};
};

// Where artifacts lie: in the data folder, or in an S3-compatible bucket.
struct ArtifactSettings {
  std::string url;       // s3://BUCKET[/PREFIX]; empty: the data folder
  std::string endpoint;  // empty: of the region
  std::string region = "us-east-1";
  bool path_style = false;
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  std::string credentials_file;
  std::string ca_file;
  std::uint64_t part_bytes = 8ull << 20;
  std::uint64_t connections = 16;
  std::chrono::milliseconds timeout{30'000};
  bool presigned = false;
};

// The database of the registry and of tracking.
struct StoreSettings {
  std::string address;  // empty: a file in the data folder
  std::uint64_t readers = 2;
  std::uint64_t queue_works = 4096;
  std::chrono::milliseconds deadline{30'000};
  ArtifactSettings artifacts;
};

// A registry on another server whose models are served here too.
struct RemoteSettings {
  std::string url;  // empty: none
  std::vector<std::string> models;
  std::string token;
  std::string ca_file;
  std::chrono::milliseconds poll_interval{30'000};
  std::chrono::milliseconds timeout{30'000};
};

struct TrackingSettings {
  bool serving_runs = true;
  std::chrono::milliseconds serving_interval{60'000};
};

// Whose signatures of models count.
struct SigningSettings {
  std::vector<std::string> trusted_keys;  // PEM files
};

// Who is told of changes of the registry.
struct WebhookSettings {
  std::string secret_key_file;  // empty: webhooks.key in the data folder
  std::string ca_file;
  bool allow_private = false;
  std::uint64_t threads = 4;
  std::chrono::milliseconds timeout{10'000};
  std::uint64_t attempts = 5;
  std::chrono::milliseconds first_wait{1'000};
  std::chrono::milliseconds wait_max{60'000};
  std::uint64_t failures = 10;
  std::uint64_t queue_events = 10'000;
  std::uint64_t log_deliveries = 100;
};

// What is kept of answers of /v1/responses.
struct ResponseSettings {
  std::chrono::milliseconds ttl{30ll * 86'400'000};
  std::uint64_t bytes = 256ull << 20;  // 0: nothing is kept
};

struct OnnxSettings {
  std::string library;  // empty: found beside the program or by the system
};

struct AuthSettings {
  std::vector<std::string> api_keys;
  std::string keys_file;
  std::vector<std::string> workspaces;  // beside "default"
  bool insecure = false;
};

struct ApiSettings {
  bool open_inference = true;
  bool openai = true;
  bool anthropic = true;
  bool ollama = true;
  bool mlflow = true;
  bool registry = true;
  bool adapters = true;
};

enum class AccessLog : std::uint8_t { kOff, kErrors, kAll };

struct LogSettings {
  log::Format format = log::Format::kText;
  log::Level level = log::Level::kInfo;
  AccessLog access = AccessLog::kErrors;
};

struct Settings {
  std::string data;
  std::uint64_t cores = 0;  // 0: all that the process may use
  std::chrono::milliseconds drain_timeout{30'000};
  HttpSettings http;
  LimitSettings limits;
  QuotaSettings quotas;
  SocketSettings sockets;
  MetricsSettings metrics;
  ModelSettings models;
  AdapterSettings adapters;
  StoreSettings store;
  RemoteSettings remote;
  TrackingSettings tracking;
  SigningSettings signing;
  WebhookSettings webhooks;
  ResponseSettings responses;
  OnnxSettings onnx;
  AuthSettings auth;
  ApiSettings apis;
  LogSettings log;
};

}  // namespace cortex::config
