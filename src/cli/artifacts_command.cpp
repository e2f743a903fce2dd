// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ostream>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/detail/context.h"
#include "cli/detail/json.h"
#include "cli/detail/progress.h"
#include "cli/detail/server_call.h"
#include "cli/detail/table.h"

namespace cortex::cli::detail {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kProxy = "/api/2.0/mlflow-artifacts";
constexpr std::string_view kScheme = "mlflow-artifacts:/";
constexpr std::uint64_t kPartBytes = 8u << 20;
constexpr std::uint64_t kPartsMax = 10'000;

struct ArtifactFlags {
  std::string where;  // a run's id, or an address
  std::string path;   // below it
  std::string file;
  bool as_json = false;
};

// Every segment encoded, the slashes kept.
std::string encoded(const std::string& path) {
  std::string out;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    out += (out.empty() ? "" : "/") + net::path_segment(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::string joined(const std::string& folder, const std::string& rest) {
  return folder.empty() || rest.empty() ? folder + rest : folder + "/" + rest;
}

Status file_error(const std::string& file) {
  return failed_precondition("'" + file + "': " + std::system_category().message(errno));
}

class ArtifactCalls {
 public:
  ArtifactCalls(Context& context, net::HttpClient client, const ArtifactFlags& flags)
      : context_(context), client_(std::move(client)), flags_(flags) {}

  Status list() {
    CORTEX_ASSIGN_OR_RETURN(const std::string folder, find_path());
    CORTEX_ASSIGN_OR_RETURN(
        const json::value answer,
        ask("GET", std::string(kProxy) + "/artifacts?path=" + net::path_segment(folder))
    );
    if (flags_.as_json) {
      context_.out << pretty(answer);
      return {};
    }
    std::vector<std::vector<std::string>> rows{{"NAME", "SIZE"}};
    const json::value* files = member(answer, "files");
    if (files != nullptr && files->is_array()) {
      for (const json::value& file : files->get_array()) rows.push_back(row_of(file));
    }
    print_table(context_.out, rows);
    return {};
  }

  // In parts that each are held in memory, whatever the size of the file.
  Status put() {
    std::error_code error;
    const std::uint64_t size = fs::file_size(flags_.file, error);
    if (error) return failed_precondition("'" + flags_.file + "': " + error.message());
    std::ifstream file(flags_.file, std::ios::binary);
    if (!file) return file_error(flags_.file);
    CORTEX_ASSIGN_OR_RETURN(std::string path, find_path());
    if (flags_.path.empty() || flags_.path.ends_with('/')) {
      if (path.ends_with('/')) path.pop_back();
      path = joined(path, fs::path(flags_.file).filename().string());
    }
    Progress progress(context_.err, path, size);
    CORTEX_RETURN_IF_ERROR(
        size <= kPartBytes ? put_whole(path, file, size) : put_parts(path, file, size, progress)
    );
    progress.finish();
    context_.out << kScheme << path << "\n";
    return {};
  }

  // Part by part into FILE.part, which takes its name when it is whole.
  Status get() {
    CORTEX_ASSIGN_OR_RETURN(const std::string path, find_path());
    const std::string to = flags_.file.empty() ? fs::path(path).filename().string() : flags_.file;
    const std::string part = to + ".part";
    std::ofstream out(part, std::ios::binary | std::ios::trunc);
    if (!out) return file_error(part);
    Status status = receive(path, out);
    out.close();
    if (status.ok() && !out) status = file_error(part);
    std::error_code error;
    if (status.ok()) fs::rename(part, to, error);
    if (error) status = failed_precondition("'" + to + "': " + error.message());
    if (!status.ok()) {
      fs::remove(part, error);
      return status;
    }
    context_.out << to << "\n";
    return {};
  }

 private:
  Result<json::value> ask(
      std::string_view method, const std::string& target, const std::string& body = {}
  ) {
    net::HttpCall request;
    request.method = method;
    request.target = target;
    request.body = body;
    return call_json(client_, request);
  }

  // The artifact path that the flags mean.
  Result<std::string> find_path() {
    if (flags_.where.starts_with(kScheme)) {
      return joined(flags_.where.substr(kScheme.size()), flags_.path);
    }
    CORTEX_ASSIGN_OR_RETURN(
        const json::value answer,
        ask("GET", "/api/2.0/mlflow/runs/get?run_id=" + net::path_segment(flags_.where))
    );
    const json::value none;
    const json::value* run = member(answer, "run");
    const json::value* info = run == nullptr ? nullptr : member(*run, "info");
    const std::string uri = text_member(info == nullptr ? none : *info, "artifact_uri");
    if (!uri.starts_with(kScheme)) {
      return failed_precondition(
          "the server does not keep the artifacts of this run: '" + uri + "'"
      );
    }
    return joined(uri.substr(kScheme.size()), flags_.path);
  }

  static std::vector<std::string> row_of(const json::value& file) {
    const json::value* folder = member(file, "is_dir");
    const bool is_folder = folder != nullptr && folder->is_bool() && folder->get_bool();
    const json::value* size = member(file, "file_size");
    const std::int64_t bytes = size != nullptr && size->is_int64() ? size->get_int64() : 0;
    return {
        cell(member(file, "path")) + (is_folder ? "/" : ""),
        is_folder ? std::string() : bytes_text(static_cast<std::uint64_t>(bytes))
    };
  }

  Result<std::string> read_part(std::ifstream& file, std::uint64_t size) {
    std::string part(size, '\0');
    file.read(part.data(), static_cast<std::streamsize>(size));
    if (static_cast<std::uint64_t>(file.gcount()) == size) return part;
    return failed_precondition("'" + flags_.file + "' became shorter while it was read");
  }

  Status send(const std::string& target, const std::string& body, net::HttpAnswer* into = nullptr) {
    net::HttpCall request;
    request.method = "PUT";
    request.target = target;
    request.body = body;
    request.content_type = "application/octet-stream";
    CORTEX_ASSIGN_OR_RETURN(net::HttpAnswer answer, call(client_, request));
    if (into != nullptr) *into = std::move(answer);
    return {};
  }

  Status put_whole(const std::string& path, std::ifstream& file, std::uint64_t size) {
    CORTEX_ASSIGN_OR_RETURN(const std::string body, read_part(file, size));
    return send(std::string(kProxy) + "/artifacts/" + encoded(path), body);
  }

  Status put_parts(
      const std::string& path, std::ifstream& file, std::uint64_t size, Progress& progress
  ) {
    const std::uint64_t part_bytes = std::max(kPartBytes, (size + kPartsMax - 1) / kPartsMax);
    const std::uint64_t parts = (size + part_bytes - 1) / part_bytes;
    const std::size_t slash = path.rfind('/');
    const std::string folder =
        slash == std::string::npos ? "" : "/" + encoded(path.substr(0, slash));
    json::object upload{{"path", path.substr(slash + 1)}, {"num_parts", parts}};
    CORTEX_ASSIGN_OR_RETURN(
        const json::value begun,
        ask("POST", std::string(kProxy) + "/mpu/create" + folder, json::serialize(upload))
    );
    const std::string id = text_member(begun, "upload_id");
    json::array sent;
    for (std::uint64_t number = 1; number <= parts; ++number) {
      const std::uint64_t begin = (number - 1) * part_bytes;
      CORTEX_ASSIGN_OR_RETURN(
          const std::string body, read_part(file, std::min(part_bytes, size - begin))
      );
      net::HttpAnswer answer;
      const std::string target = std::string(kProxy) + "/mpu/parts/" + net::path_segment(id) + "/" +
                                 std::to_string(number);
      CORTEX_RETURN_IF_ERROR(send(target, body, &answer));
      sent.push_back(
          json::object{{"part_number", number}, {"etag", std::string(answer.header("etag"))}}
      );
      progress.reach(begin + body.size());
    }
    upload.emplace("upload_id", id);
    upload.emplace("parts", std::move(sent));
    return ask("POST", std::string(kProxy) + "/mpu/complete" + folder, json::serialize(upload))
        .status();
  }

  Status receive(const std::string& path, std::ofstream& out) {
    const std::string target = std::string(kProxy) + "/artifacts/" + encoded(path);
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    std::string tag;
    Progress progress(context_.err, path, 0);
    do {
      net::HttpCall request;
      request.target = target;
      request.headers = {
          {"Range", "bytes=" + std::to_string(done) + "-" + std::to_string(done + kPartBytes - 1)}
      };
      if (!tag.empty()) request.headers.emplace_back("If-Range", tag);
      CORTEX_ASSIGN_OR_RETURN(const net::HttpAnswer answer, client_.send(request));
      if (done == 0 && answer.status == 416)
        break;  // nothing is from its first byte on: it is empty
      CORTEX_RETURN_IF_ERROR(check_answer(request, answer));
      // The server sends the whole when it was replaced meanwhile, or is empty.
      if (answer.status != 206 && done > 0) {
        return failed_precondition("the artifact was replaced while it was read");
      }
      tag = std::string(answer.header("etag"));
      total = total_of(answer);
      done += answer.body.size();
      out.write(answer.body.data(), static_cast<std::streamsize>(answer.body.size()));
      if (!out) return file_error("the file");
      progress.set_total(total);
      progress.reach(done);
      if (answer.body.empty() && done < total) {
        return failed_precondition("the server sent nothing of what is left");
      }
    } while (done < total);
    progress.finish();
    return {};
  }

  // "bytes 0-99/1000" says the whole; without it the body is the whole.
  static std::uint64_t total_of(const net::HttpAnswer& answer) {
    const std::string_view range = answer.header("content-range");
    const std::size_t slash = range.find('/');
    if (answer.status != 206 || slash == std::string_view::npos) return answer.body.size();
    return std::strtoull(std::string(range.substr(slash + 1)).c_str(), nullptr, 10);
  }

  Context& context_;
  net::HttpClient client_;
  const ArtifactFlags& flags_;
};

Command add_artifact_call(
    const Command& parent,
    const std::shared_ptr<ArtifactFlags>& flags,
    const CommandText& text,
    Status (ArtifactCalls::*call)()
) {
  const Command command = add_server_call(parent, flags, text, call);
  command.option("where", flags->where, "A run's id, or mlflow-artifacts:/ and a path")
      .required()
      .type("WHERE");
  return command;
}

}  // namespace

void add_artifacts_command(const Command& root) {
  const Command group = root.add_group("artifacts", "Files that runs keep.");
  auto flags = std::make_shared<ArtifactFlags>();
  const Command list = add_artifact_call(
      group, flags, {"list", "List what lies in a folder."}, &ArtifactCalls::list
  );
  list.option("path", flags->path, "A folder below it").type("PATH");
  list.flag("--json", flags->as_json, "Print the server's answer as it is");
  const Command put =
      add_artifact_call(group, flags, {"put", "Upload a file."}, &ArtifactCalls::put);
  put.option("file", flags->file, "The file").required().type("FILE");
  put.option("--to", flags->path, "Where, below it; with a / at the end, the folder").type("PATH");
  const Command get =
      add_artifact_call(group, flags, {"get", "Download a file."}, &ArtifactCalls::get);
  get.option("path", flags->path, "The file below it").type("PATH");
  get.option("--output", flags->file, "Where to; its own name without it").type("FILE");
}

}  // namespace cortex::cli::detail
