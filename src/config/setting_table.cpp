// SPDX-License-Identifier: Apache-2.0
#include "config/setting_table.h"

#include <algorithm>
#include <array>

namespace cortex::config {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = kKiB * 1024;
constexpr std::uint64_t kGiB = kMiB * 1024;
constexpr milliseconds kDay{86'400'000};

constexpr std::array<std::string_view, 3> kControlNames{"none", "poll", "explicit"};
constexpr std::array<std::string_view, 2> kFormatNames{"text", "json"};
constexpr std::array<std::string_view, 4> kLevelNames{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 3> kAccessNames{"off", "errors", "all"};

// The member behind a setting, as a function that a Target can hold.
#define CORTEX_MEMBER(member) [](Settings& s) -> decltype(auto) { return (s.member); }
#define CORTEX_CHOICE(names, member)                                                          \
  ChoiceTarget {                                                                              \
    names, [](Settings& s, std::size_t i) { s.member = static_cast<decltype(s.member)>(i); }, \
        [](const Settings& s) { return static_cast<std::size_t>(s.member); }                  \
  }

// clang-format off
const Setting kTable[] = {
    {"http.host", "--host", "CORTEX_HTTP_HOST",
     "Address to listen on. Anything but loopback needs keys, or auth.insecure.",
     TextTarget{CORTEX_MEMBER(http.host)}},
    {"http.port", "--http-port", "CORTEX_HTTP_PORT",
     "Port of all HTTP APIs; 0 takes a free one, which the ready line names.",
     CountTarget{CORTEX_MEMBER(http.port), 0, 65535}},
    {"http.io_threads", "--io-threads", "CORTEX_HTTP_IO_THREADS",
     "Threads that read and write connections; 0 chooses by the cores.",
     CountTarget{CORTEX_MEMBER(http.io_threads), 0, 256}},
    {"http.idle_poll_us", "--idle-poll-us", "CORTEX_HTTP_IDLE_POLL_US",
     "Microseconds for which an io thread whose requests come fast looks for the next one before it "
     "sleeps: answers come sooner, for processor time that was idle. 0 is off, as on one core.",
     CountTarget{CORTEX_MEMBER(http.idle_poll_us), 0, 1000}},
    {"http.cors_origins", "--cors-origin", "CORTEX_HTTP_CORS_ORIGINS",
     "Origins whose pages may call the server from a browser; * is every origin.",
     ListTarget{CORTEX_MEMBER(http.cors_origins)}},

    {"metrics.port", "--metrics-port", "CORTEX_METRICS_PORT",
     "Port that serves /metrics alone; 0 is off. /metrics is on the HTTP port too.",
     CountTarget{CORTEX_MEMBER(metrics.port), 0, 65535}},
    {"metrics.series", "--metrics-series", "CORTEX_METRICS_SERIES",
     "Label sets that one metric keeps; what comes later is counted under \"other\".",
     CountTarget{CORTEX_MEMBER(metrics.series), 10, 100'000}},

    {"models.repositories", "--model-repository", "CORTEX_MODELS_REPOSITORIES",
     "Folders that hold model folders.",
     ListTarget{CORTEX_MEMBER(models.repositories)}},
    {"models.control", "--model-control-mode", "CORTEX_MODELS_CONTROL",
     "none: every model is loaded at start. poll: the folders are read again at intervals. "
     "explicit: only models.load at start, then by the repository API.",
     CORTEX_CHOICE(kControlNames, models.control)},
    {"models.load", "--load-model", "CORTEX_MODELS_LOAD",
     "With explicit control, the models to load at start; * is all.",
     ListTarget{CORTEX_MEMBER(models.load)}},
    {"models.loader_threads", "--model-load-thread-count", "CORTEX_MODELS_LOADER_THREADS",
     "Models that are loaded at the same time.",
     CountTarget{CORTEX_MEMBER(models.loader_threads), 1, 64}},
    {"models.poll_interval", "--repository-poll-interval", "CORTEX_MODELS_POLL_INTERVAL",
     "With poll control, the time between two readings of the folders.",
     TimeTarget{CORTEX_MEMBER(models.poll_interval), milliseconds(100), kDay}},

    {"models.probation", "", "CORTEX_MODELS_PROBATION",
     "Every new version is loaded, warmed up and measured in a process of its own before the server loads it; one that "
     "crashes or hangs there is left alone. Verdicts are kept in the data folder; without one, until the server ends.",
     SwitchTarget{CORTEX_MEMBER(models.probation)}},
    {"models.probation_deadline", "", "CORTEX_MODELS_PROBATION_DEADLINE",
     "How long a version may take on probation.",
     TimeTarget{CORTEX_MEMBER(models.probation_deadline), milliseconds(100), kDay}},
    {"models.probation_memory", "", "CORTEX_MODELS_PROBATION_MEMORY",
     "Memory that the process of a probation may take; 0 is seven eighths of what the machine has free.",
     BytesTarget{CORTEX_MEMBER(models.probation_memory), 0, 1024 * 1024 * kGiB}},

    {"models.stored_versions", "--stored-versions", "CORTEX_MODELS_STORED_VERSIONS",
     "Versions of one registered model that are kept loaded: those that aliases point to, then the newest.",
     CountTarget{CORTEX_MEMBER(models.stored_versions), 1, 1000}},
    {"models.default_alias", "--default-alias", "CORTEX_MODELS_DEFAULT_ALIAS",
     "The alias that the plain name of a registered model stands for, where the model has it. Empty: the newest version.",
     TextTarget{CORTEX_MEMBER(models.default_alias)}},
    {"models.fallback", "", "CORTEX_MODELS_FALLBACK",
     "A request that fails inside the engine is tried once more on the version that served before, unless it "
     "names its version.",
     SwitchTarget{CORTEX_MEMBER(models.fallback)}},

    {"adapters.folder", "--adapters", "LORA_ADAPTER_BASE_DIR",
     "Folder that files of adapters (LoRA) are read from, and nowhere else. Empty: none can be registered.",
     TextTarget{CORTEX_MEMBER(adapters.folder)}},
    {"adapters.api_keys", "", "LORA_API_KEYS",
     "Keys, in plain text, for the calls that manage adapters and for nothing else; with them these calls are answered "
     "401 without a key, also where the server has no other keys.",
     ListTarget{CORTEX_MEMBER(adapters.api_keys), ListTarget::Entries::kKeys}},
    {"adapters.max_per_model", "", "MAX_LORA_ADAPTERS",
     "Adapters that are loaded at once over one version of a model; the one that was used least recently gives way.",
     CountTarget{CORTEX_MEMBER(adapters.max_per_model), 1, 10'000}},
    {"adapters.memory", "", "CORTEX_ADAPTERS_MEMORY",
     "Memory of all loaded adapters together; 0 is no bound.",
     BytesTarget{CORTEX_MEMBER(adapters.memory), 0, 1024 * 1024 * kGiB}},
    {"adapters.file_bytes", "", "CORTEX_ADAPTERS_FILE_BYTES",
     "The largest file of an adapter that is read.",
     BytesTarget{CORTEX_MEMBER(adapters.file_bytes), kKiB, 1024 * kGiB}},
    {"adapters.training_methods", "", "CORTEX_ADAPTERS_TRAINING_METHODS",
     "What the training_method of an adapter may be at its registration. Empty: anything, and nothing.",
     ListTarget{CORTEX_MEMBER(adapters.training_methods)}},
    {"adapters.wait", "", "CORTEX_ADAPTERS_WAIT",
     "How long a request waits for an adapter that is not loaded yet.",
     TimeTarget{CORTEX_MEMBER(adapters.wait), milliseconds(1), kDay}},

    {"store.address", "--store", "CORTEX_STORE_ADDRESS",
     "Database of the registry and of tracking: postgresql://…, or the path of a SQLite file. Empty: cortex.db in "
     "the data folder. Leave a password to PGPASSWORD or to the password file: flags show in process lists.",
     TextTarget{CORTEX_MEMBER(store.address)}},
    {"store.readers", "", "CORTEX_STORE_READERS",
     "SQLite: threads that read. PostgreSQL: connections.",
     CountTarget{CORTEX_MEMBER(store.readers), 1, 64}},
    {"store.queue_works", "", "CORTEX_STORE_QUEUE_WORKS",
     "Reads, and writes, that wait for the database; more are answered 429.",
     CountTarget{CORTEX_MEMBER(store.queue_works), 1, 1'000'000}},
    {"store.deadline", "", "CORTEX_STORE_DEADLINE",
     "How long one piece of work may wait for the database and use it.",
     TimeTarget{CORTEX_MEMBER(store.deadline), milliseconds(100), kDay}},

    {"store.artifacts.url", "--artifacts", "CORTEX_STORE_ARTIFACTS_URL",
     "Where artifacts lie: s3://BUCKET/PREFIX, of a bucket that is there. Empty: in the data folder.",
     TextTarget{CORTEX_MEMBER(store.artifacts.url)}},
    {"store.artifacts.endpoint", "", "AWS_ENDPOINT_URL_S3",
     "Address of the S3-compatible server. Empty: Amazon's, of the region.",
     TextTarget{CORTEX_MEMBER(store.artifacts.endpoint)}},
    {"store.artifacts.region", "", "AWS_REGION",
     "Region of the bucket; it is part of the signatures.",
     TextTarget{CORTEX_MEMBER(store.artifacts.region)}},
    {"store.artifacts.path_style", "", "CORTEX_STORE_ARTIFACTS_PATH_STYLE",
     "The bucket's name stands in the path of the address, not in its host, as most servers but Amazon's want it.",
     SwitchTarget{CORTEX_MEMBER(store.artifacts.path_style)}},
    {"store.artifacts.access_key", "", "AWS_ACCESS_KEY_ID",
     "Who we are for the bucket.",
     TextTarget{CORTEX_MEMBER(store.artifacts.access_key)}},
    {"store.artifacts.secret_key", "", "AWS_SECRET_ACCESS_KEY",
     "What the signatures are made with. Never logged.",
     TextTarget{CORTEX_MEMBER(store.artifacts.secret_key)}},
    {"store.artifacts.session_token", "", "AWS_SESSION_TOKEN",
     "Of temporary credentials.",
     TextTarget{CORTEX_MEMBER(store.artifacts.session_token)}},
    {"store.artifacts.credentials_file", "", "AWS_SHARED_CREDENTIALS_FILE",
     "File with aws_access_key_id and aws_secret_access_key in its section [default]; read at the start where there is no access_key.",
     TextTarget{CORTEX_MEMBER(store.artifacts.credentials_file)}},
    {"store.artifacts.ca_file", "", "AWS_CA_BUNDLE",
     "Certificates (PEM) that vouch for the server. Empty: the system's.",
     TextTarget{CORTEX_MEMBER(store.artifacts.ca_file)}},
    {"store.artifacts.part_bytes", "", "CORTEX_STORE_ARTIFACTS_PART_BYTES",
     "Parts of an upload, each of which is held in memory; an artifact has 10 000 of them at most.",
     BytesTarget{CORTEX_MEMBER(store.artifacts.part_bytes), 5 * kMiB, kGiB}},
    {"store.artifacts.connections", "", "CORTEX_STORE_ARTIFACTS_CONNECTIONS",
     "Connections to the server in use at once.",
     CountTarget{CORTEX_MEMBER(store.artifacts.connections), 1, 1000}},
    {"store.artifacts.timeout", "", "CORTEX_STORE_ARTIFACTS_TIMEOUT",
     "How long a call to the server that failed is made again and again.",
     TimeTarget{CORTEX_MEMBER(store.artifacts.timeout), milliseconds(100), kDay}},
    {"store.artifacts.presigned", "", "CORTEX_STORE_ARTIFACTS_PRESIGNED",
     "Clients that ask for it get an address from which they read an artifact without us, for some minutes.",
     SwitchTarget{CORTEX_MEMBER(store.artifacts.presigned)}},

    {"tracking.serving_runs", "", "CORTEX_TRACKING_SERVING_RUNS",
     "What served versions do is written as MLflow runs, one for each version, in the experiment `serving`. Needs the "
     "data folder.",
     SwitchTarget{CORTEX_MEMBER(tracking.serving_runs)}},
    {"tracking.serving_interval", "", "CORTEX_TRACKING_SERVING_INTERVAL",
     "The time between two of their values; one without a request has none.",
     TimeTarget{CORTEX_MEMBER(tracking.serving_interval), milliseconds(100), kDay}},

    {"remote.url", "--remote-registry", "CORTEX_REMOTE_URL",
     "Tracking URI of an MLflow server whose models are served here too: http://… or https://…. Needs the data folder.",
     TextTarget{CORTEX_MEMBER(remote.url)}},
    {"remote.models", "--remote-model", "CORTEX_REMOTE_MODELS",
     "What is followed there: name for its newest version, name@alias, name@3, models:/name/Production.",
     ListTarget{CORTEX_MEMBER(remote.models)}},
    {"remote.token", "", "CORTEX_REMOTE_TOKEN",
     "Sent to it as a bearer token.",
     TextTarget{CORTEX_MEMBER(remote.token)}},
    {"remote.ca_file", "", "CORTEX_REMOTE_CA_FILE",
     "Certificates that sign its own, in PEM. Empty: the system's.",
     TextTarget{CORTEX_MEMBER(remote.ca_file)}},
    {"remote.poll_interval", "", "CORTEX_REMOTE_POLL_INTERVAL",
     "The time between two looks; SIGHUP and a load request of one of its models look at once.",
     TimeTarget{CORTEX_MEMBER(remote.poll_interval), milliseconds(100), kDay}},
    {"remote.timeout", "", "CORTEX_REMOTE_TIMEOUT",
     "How long it may take to answer a call, and to send the next bytes of a file.",
     TimeTarget{CORTEX_MEMBER(remote.timeout), milliseconds(100), kDay}},

    {"signing.trusted_keys", "--trusted-key", "CORTEX_SIGNING_TRUSTED_KEYS",
     "PEM files with public keys and certificates whose signatures count for aliases with a signature policy.",
     ListTarget{CORTEX_MEMBER(signing.trusted_keys)}},

    {"connectors.webhooks.secret_key_file", "", "CORTEX_WEBHOOKS_SECRET_KEY_FILE",
     "File with the key (64 hexadecimal digits) that webhooks' secrets are kept with. Empty: webhooks.key in the data "
     "folder, made when it is missing. Servers that share a database need the same.",
     TextTarget{CORTEX_MEMBER(webhooks.secret_key_file)}},
    {"connectors.webhooks.allow_private", "--webhooks-allow-private", "CORTEX_WEBHOOKS_ALLOW_PRIVATE",
     "Webhooks may lead to addresses of this machine and of private networks.",
     SwitchTarget{CORTEX_MEMBER(webhooks.allow_private)}},
    {"connectors.webhooks.ca_file", "", "CORTEX_WEBHOOKS_CA_FILE",
     "PEM file of the authorities whose certificates receivers may have. Empty: those of the system.",
     TextTarget{CORTEX_MEMBER(webhooks.ca_file)}},
    {"connectors.webhooks.threads", "", "CORTEX_WEBHOOKS_THREADS",
     "Webhooks that are told at the same time.",
     CountTarget{CORTEX_MEMBER(webhooks.threads), 1, 64}},
    {"connectors.webhooks.timeout", "", "CORTEX_WEBHOOKS_TIMEOUT",
     "For one attempt, connecting included.",
     TimeTarget{CORTEX_MEMBER(webhooks.timeout), milliseconds(10), milliseconds(300'000)}},
    {"connectors.webhooks.attempts", "", "CORTEX_WEBHOOKS_ATTEMPTS",
     "Attempts of one delivery before it is given up.",
     CountTarget{CORTEX_MEMBER(webhooks.attempts), 1, 100}},
    {"connectors.webhooks.first_wait", "", "CORTEX_WEBHOOKS_FIRST_WAIT",
     "Before the second attempt; twice as long before every further one, and up to half of it more at random.",
     TimeTarget{CORTEX_MEMBER(webhooks.first_wait), milliseconds(1), kDay}},
    {"connectors.webhooks.wait_max", "", "CORTEX_WEBHOOKS_WAIT_MAX",
     "The longest wait between two attempts, also where the receiver asks for more.",
     TimeTarget{CORTEX_MEMBER(webhooks.wait_max), milliseconds(1), kDay}},
    {"connectors.webhooks.failures", "", "CORTEX_WEBHOOKS_FAILURES",
     "Deliveries that are given up in a row before the webhook is switched off.",
     CountTarget{CORTEX_MEMBER(webhooks.failures), 1, 1'000'000}},
    {"connectors.webhooks.queue_events", "", "CORTEX_WEBHOOKS_QUEUE_EVENTS",
     "Changes of the registry that a webhook may be behind before it is switched off.",
     CountTarget{CORTEX_MEMBER(webhooks.queue_events), 10, 10'000'000}},
    {"connectors.webhooks.log_deliveries", "", "CORTEX_WEBHOOKS_LOG_DELIVERIES",
     "Deliveries of one webhook that its log keeps.",
     CountTarget{CORTEX_MEMBER(webhooks.log_deliveries), 1, 10'000}},

    {"auth.api_keys", "", "CORTEX_API_KEYS",
     "Keys with every scope, in plain text: a quick start. Prefer auth.keys_file.",
     ListTarget{CORTEX_MEMBER(auth.api_keys), ListTarget::Entries::kKeys}},
    {"auth.keys_file", "--keys-file", "CORTEX_KEYS_FILE",
     "YAML or JSON file of keys: {name, tenant, workspace, scopes: [read, infer, admin], sha256, limits, class, weight}.",
     TextTarget{CORTEX_MEMBER(auth.keys_file)}},
    {"auth.workspaces", "--workspace", "CORTEX_WORKSPACES",
     "Workspaces beside 'default': each has experiments, runs, models and artifacts of its own.",
     ListTarget{CORTEX_MEMBER(auth.workspaces)}},
    {"auth.insecure", "--insecure", "CORTEX_INSECURE",
     "Serve without keys on an address that others can reach.",
     SwitchTarget{CORTEX_MEMBER(auth.insecure)}},

    {"responses.ttl", "", "CORTEX_RESPONSES_TTL",
     "How long an answer of /v1/responses can be found again and gone on from.",
     TimeTarget{CORTEX_MEMBER(responses.ttl), milliseconds(1000), 3650 * kDay}},
    {"responses.bytes", "", "CORTEX_RESPONSES_BYTES",
     "What is kept of them at most, in the database, or in memory where there is no data folder; 0 keeps none. "
     "Over it the key that holds the most loses the conversation that it used longest ago.",
     BytesTarget{CORTEX_MEMBER(responses.bytes), 0, 1024 * kGiB}},

    {"apis.open_inference", "", "CORTEX_APIS_OPEN_INFERENCE",
     "The Open Inference Protocol under /v2.",
     SwitchTarget{CORTEX_MEMBER(apis.open_inference)}},
    {"apis.openai", "", "CORTEX_APIS_OPENAI",
     "OpenAI's chats, completions, embeddings and models under /v1, and reranking.",
     SwitchTarget{CORTEX_MEMBER(apis.openai)}},
    {"apis.anthropic", "", "CORTEX_APIS_ANTHROPIC",
     "Anthropic's messages under /v1.",
     SwitchTarget{CORTEX_MEMBER(apis.anthropic)}},
    {"apis.ollama", "", "CORTEX_APIS_OLLAMA",
     "Ollama's chat, generate and lists of models under /api.",
     SwitchTarget{CORTEX_MEMBER(apis.ollama)}},
    {"apis.mlflow", "", "CORTEX_APIS_MLFLOW",
     "MLflow's tracking, registry and artifacts under /api/2.0; needs the data folder or store.address.",
     SwitchTarget{CORTEX_MEMBER(apis.mlflow)}},
    {"apis.registry", "", "CORTEX_APIS_REGISTRY",
     "The registry's own API under /api/v2; needs the data folder.",
     SwitchTarget{CORTEX_MEMBER(apis.registry)}},
    {"apis.adapters", "", "CORTEX_APIS_ADAPTERS",
     "Changes of adapters under /api/v1/lora, and vLLM's under /v1.",
     SwitchTarget{CORTEX_MEMBER(apis.adapters)}},

    {"limits.connections", "--connections-max", "CORTEX_LIMITS_CONNECTIONS",
     "Open connections; more are refused.",
     CountTarget{CORTEX_MEMBER(limits.connections), 1, 1'000'000}},
    {"limits.header_bytes", "", "CORTEX_LIMITS_HEADER_BYTES",
     "Request line and headers of one request.",
     BytesTarget{CORTEX_MEMBER(limits.header_bytes), kKiB, 16 * kMiB}},
    {"limits.body_bytes", "--body-limit", "CORTEX_LIMITS_BODY_BYTES",
     "Body of one request, unpacked.",
     BytesTarget{CORTEX_MEMBER(limits.body_bytes), kKiB, 64 * kGiB}},
    {"limits.body_bytes_total", "", "CORTEX_LIMITS_BODY_BYTES_TOTAL",
     "Bodies of all requests that are being read or served.",
     BytesTarget{CORTEX_MEMBER(limits.body_bytes_total), kMiB, 1024 * kGiB}},
    {"limits.json_depth", "", "CORTEX_LIMITS_JSON_DEPTH",
     "Arrays and objects in each other in the JSON of one request.",
     CountTarget{CORTEX_MEMBER(limits.json_depth), 1, 512}},
    {"limits.header_timeout", "", "CORTEX_LIMITS_HEADER_TIMEOUT",
     "For a whole header, and for the first byte of a connection.",
     TimeTarget{CORTEX_MEMBER(limits.header_timeout), milliseconds(10), kDay}},
    {"limits.body_timeout", "", "CORTEX_LIMITS_BODY_TIMEOUT",
     "For every next 16 KiB of a body.",
     TimeTarget{CORTEX_MEMBER(limits.body_timeout), milliseconds(10), kDay}},
    {"limits.write_timeout", "", "CORTEX_LIMITS_WRITE_TIMEOUT",
     "Without a byte of the answer taken by the client.",
     TimeTarget{CORTEX_MEMBER(limits.write_timeout), milliseconds(10), kDay}},
    {"limits.idle_timeout", "", "CORTEX_LIMITS_IDLE_TIMEOUT",
     "Between two requests of a connection.",
     TimeTarget{CORTEX_MEMBER(limits.idle_timeout), milliseconds(10), kDay}},
    {"limits.queue_requests", "--queue-limit", "CORTEX_LIMITS_QUEUE_REQUESTS",
     "Requests that wait for one model where its configuration says nothing; more are answered 429.",
     CountTarget{CORTEX_MEMBER(limits.queue_requests), 1, 1'000'000}},

    {"quotas.requests_per_minute", "", "CORTEX_QUOTAS_REQUESTS_PER_MINUTE",
     "Requests of one key per minute where its entry in the key file says nothing; 0: no limit.",
     CountTarget{CORTEX_MEMBER(quotas.requests_per_minute), 0, 1'000'000'000}},
    {"quotas.tokens_per_minute", "", "CORTEX_QUOTAS_TOKENS_PER_MINUTE",
     "Tokens of one key's prompts, texts and answers per minute, likewise; 0: no limit.",
     CountTarget{CORTEX_MEMBER(quotas.tokens_per_minute), 0, 1'000'000'000}},
    {"quotas.concurrent_requests", "", "CORTEX_QUOTAS_CONCURRENT_REQUESTS",
     "Requests of one key that run at the same time, likewise; 0: no limit.",
     CountTarget{CORTEX_MEMBER(quotas.concurrent_requests), 0, 1'000'000'000}},
    {"quotas.principals", "", "CORTEX_QUOTAS_PRINCIPALS",
     "Keys whose use is remembered at a time; while all of them have used some of a minute's share, "
     "another one is refused.",
     CountTarget{CORTEX_MEMBER(quotas.principals), 16, 10'000'000}},

    {"sockets.generations", "", "CORTEX_SOCKETS_GENERATIONS",
     "Generations that run on one WebSocket at a time; more are refused.",
     CountTarget{CORTEX_MEMBER(sockets.generations), 1, 10'000}},
    {"sockets.message_bytes", "", "CORTEX_SOCKETS_MESSAGE_BYTES",
     "One message of a WebSocket's client; one that is bigger ends it.",
     BytesTarget{CORTEX_MEMBER(sockets.message_bytes), kKiB, kGiB}},
    {"sockets.ping_interval", "", "CORTEX_SOCKETS_PING_INTERVAL",
     "Silence on a WebSocket until a ping goes out; after two without an answer it ends.",
     TimeTarget{CORTEX_MEMBER(sockets.ping_interval), milliseconds(250), kDay}},
    {"sockets.idle_timeout", "", "CORTEX_SOCKETS_IDLE_TIMEOUT",
     "Without a message or a generation on a WebSocket until it ends.",
     TimeTarget{CORTEX_MEMBER(sockets.idle_timeout), milliseconds(250), kDay}},

    {"log.format", "--log-format", "CORTEX_LOG_FORMAT",
     "Form of the log lines on standard error.",
     CORTEX_CHOICE(kFormatNames, log.format)},
    {"log.level", "--log-level", "CORTEX_LOG_LEVEL",
     "The least important lines that are written.",
     CORTEX_CHOICE(kLevelNames, log.level)},
    {"log.access", "--log-access", "CORTEX_LOG_ACCESS",
     "One line per request: for none, for those that failed, or for all. All costs several microseconds "
     "of CPU per request.",
     CORTEX_CHOICE(kAccessNames, log.access)},

    {"onnx.library", "--onnx-library", "CORTEX_ONNX_LIBRARY",
     "ONNX Runtime's shared library. Empty looks beside the program, in the set-up's folder, then where the system looks.",
     TextTarget{CORTEX_MEMBER(onnx.library)}},

    {"data", "--data", "CORTEX_DATA",
     "Folder for everything the server keeps; made when it is missing. Nothing outside it is ever written.",
     TextTarget{CORTEX_MEMBER(data)}},
    {"cores", "--cores", "CORTEX_CORES",
     "Cores that engines and tokenisers share; 0 is all that the process may use.",
     CountTarget{CORTEX_MEMBER(cores), 0, 4096}},
    {"drain_timeout", "--drain-timeout", "CORTEX_DRAIN_TIMEOUT",
     "At the end, how long accepted requests may take.",
     TimeTarget{CORTEX_MEMBER(drain_timeout), milliseconds(0), kDay}},
};
// clang-format on

#undef CORTEX_MEMBER
#undef CORTEX_CHOICE

}  // namespace

std::span<const Setting> setting_table() { return kTable; }

const Setting* find_setting(std::string_view path) {
  const auto all = setting_table();
  const auto found = std::ranges::find(all, path, &Setting::path);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace cortex::config
