// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::mlflow {

// The fields of one message, by proto2's rules: a missing field and null are both "unset", unknown
// ones are ignored, 64-bit integers come as numbers or as text, reals also as "NaN", "Infinity" and
// "-Infinity". The first fault is kept with the name of its field ("metrics[3].key") and the reads
// go on with empty values, so that a handler reads all it wants and then asks status() once.
// A view: valid while its Document, and the Fields that it came from, are. Thread: one.
class Fields {
 public:
  // There and not null; "" counts as there.
  [[nodiscard]] bool has(std::string_view name) const;

  // "" when unset. Text with a NUL is a fault: no database keeps it.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> text_if(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] std::optional<double> real(std::string_view name) const;
  [[nodiscard]] std::optional<bool> flag(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;  // a repeated field
  // An enum by its name, or by its number as some clients send it: the place in `names`, from 1.
  [[nodiscard]] std::optional<std::size_t> choice(
      std::string_view name, std::span<const std::string_view> names
  ) const;

  // The same, and unset (for text: or empty) is a fault.
  [[nodiscard]] std::string required_text(std::string_view name) const;
  [[nodiscard]] std::int64_t required_integer(std::string_view name) const;
  [[nodiscard]] double required_real(std::string_view name) const;

  // A message in a field; without fields when unset. It points to this one, which is no temporary.
  [[nodiscard]] Fields message(std::string_view name) const&;
  Fields message(std::string_view name) const&& = delete;
  // Repeated messages: how many, and each.
  [[nodiscard]] std::size_t count(std::string_view name) const;
  [[nodiscard]] Fields item(std::string_view name, std::size_t index) const&;
  Fields item(std::string_view name, std::size_t index) const&& = delete;

  // "metrics[3].key": `name` as seen from the request.
  [[nodiscard]] std::string path(std::string_view name) const;
  // Notes a fault that the handler itself found, unless there is an earlier one.
  void refuse(const Status& fault) const;
  // The first fault.
  [[nodiscard]] const Status& status() const;

 private:
  friend class Document;
  struct State;
  Fields(const void* object, State* state) : object_(object), state_(state) {}
  const void* find(std::string_view name) const;
  void wrong_type(std::string_view name, const void* value) const;

  const void* object_;  // null: no fields
  State* state_;
  const Fields* parent_ = nullptr;
  std::string_view name_;                             // the field of parent_ we are
  std::size_t index_ = static_cast<std::size_t>(-1);  // and our place in it, if repeated
};

// A request's message: the query of a GET that has one, else the JSON object of the body (none is
// an empty one).
class Document {
 public:
  // kInvalidArgument: it is not JSON, not an object, or nested deeper than 32 levels or
  // limits.json_depth; a POST or PUT that is not declared as JSON, which a foreign page could send
  // without being asked.
  [[nodiscard]] static Result<Document> read(const HttpRequest& request);
  // For tests and texts inside fields.
  [[nodiscard]] static Result<Document> read_json(std::string_view text);

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  [[nodiscard]] Fields fields() const;

 private:
  explicit Document(std::unique_ptr<Fields::State> state);
  std::unique_ptr<Fields::State> state_;
};

// Calls `read(fields)` for each message of a repeated field.
template <typename Read>
void for_each_message(const Fields& fields, std::string_view name, Read&& read) {
  const std::size_t count = fields.count(name);
  for (std::size_t i = 0; i < count; ++i) read(fields.item(name, i));
}

// Writes JSON behind what `out` holds, commas included. Without a key: an element of a list, or the
// document itself. Names are static text that needs no escaping.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void open_object(std::string_view key = {});
  void close_object() { out_.push_back('}'); }
  void open_list(std::string_view key = {});
  void close_list() { out_.push_back(']'); }

  void text(std::string_view key, std::string_view value);
  // Nothing when the value is empty: unset.
  void text_if(std::string_view key, std::string_view value);
  void integer(std::string_view key, std::int64_t value);
  void real(std::string_view key, double value);  // NaN and infinities as MLflow writes them
  void flag(std::string_view key, bool value);

 private:
  void begin(std::string_view key);
  std::string& out_;
};

// The text with its ASCII letters in lower case.
[[nodiscard]] std::string lower_case(std::string_view text);

// One of MLflow's error names with its HTTP status; both static.
struct ErrorName {
  std::string_view name;
  int http_status;
};
// The name that stands for a code: kNotFound is RESOURCE_DOES_NOT_EXIST (404), kAlreadyExists
// RESOURCE_ALREADY_EXISTS (400), kInvalidArgument, kFailedPrecondition and kOutOfRange
// INVALID_PARAMETER_VALUE (400), kAborted ABORTED (409), kUnavailable TEMPORARILY_UNAVAILABLE
// (503).
[[nodiscard]] ErrorName error_name(Code code);
// {"error_code": name, "message": text}.
[[nodiscard]] std::string error_text(std::string_view name, std::string_view message);
// The reply to an error of a route's own.
[[nodiscard]] HttpReply error_reply(const Status& status);
// The same under a name that no code stands for.
[[nodiscard]] HttpReply error_reply(const ErrorName& name, const Status& status);
// What the Api's ErrorBody writes, for what the server refuses before a route is reached: an
// unknown path is ENDPOINT_NOT_FOUND.
[[nodiscard]] std::string refusal_body(int http_status, const Status& status);

// Answers with an error: fills the record, logs what is our fault.
void fail(Exchange& exchange, const Status& status);
// Answers 200 with a JSON object; "" is {}.
void reply_json(Exchange& exchange, std::string body);

// "Missing value for required parameter 'x'. See the API docs …".
[[nodiscard]] Status missing_parameter(std::string_view name);

}  // namespace cortex::frontend::mlflow
