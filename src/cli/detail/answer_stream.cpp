// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/answer_stream.h"

#include "cli/detail/context.h"
#include "cli/detail/json.h"
#include "net/event_stream.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

std::string_view event_text(const json::value& value, std::string_view name) {
  const json::value* found = member(value, name);
  if (found == nullptr || !found->is_string()) return {};
  return {found->get_string().data(), found->get_string().size()};
}

std::uint64_t event_count(const json::value& value, std::string_view name) {
  const json::value* found = member(value, name);
  if (found == nullptr || !found->is_number()) return 0;
  boost::system::error_code error;
  const auto count = found->to_number<std::uint64_t>(error);
  return error ? 0 : count;
}

// Reads the events of one answer.
class AnswerReader {
 public:
  AnswerReader(AnswerEnd& end, const TakePart& take) : end_(end), take_(take) {}

  Status take_event(std::string_view data) {
    if (data == "[DONE]") {
      done_ = true;
      return {};
    }
    CORTEX_ASSIGN_OR_RETURN(const json::value event, parse_json(data, "an event of the answer"));
    if (const json::value* error = member(event, "error"); error != nullptr && !error->is_null()) {
      const std::string_view text = event_text(*error, "message");
      return internal_error(text.empty() ? "the server ended the stream with an error" : text);
    }
    take_usage(event);
    const json::value* choices = member(event, "choices");
    if (choices == nullptr || !choices->is_array() || choices->get_array().empty()) return {};
    return take_choice(choices->get_array().front());
  }

  [[nodiscard]] bool done() const { return done_; }

 private:
  static Status internal_error(std::string_view text) {
    return Status(Code::kInternal, std::string(text));
  }

  void take_usage(const json::value& event) {
    const json::value* usage = member(event, "usage");
    if (usage == nullptr || !usage->is_object()) return;
    end_.prompt_tokens = event_count(*usage, "prompt_tokens");
    end_.completion_tokens = event_count(*usage, "completion_tokens");
    if (const json::value* details = member(*usage, "prompt_tokens_details")) {
      end_.cached_tokens = event_count(*details, "cached_tokens");
    }
  }

  Status take_choice(const json::value& choice) {
    if (const std::string_view reason = event_text(choice, "finish_reason"); !reason.empty()) {
      end_.finish_reason = reason;
    }
    AnswerPart part{event_text(choice, "text"), {}};
    if (const json::value* delta = member(choice, "delta")) {
      part = {event_text(*delta, "content"), event_text(*delta, "reasoning_content")};
    }
    return part.content.empty() && part.reasoning.empty() ? Status() : take_(part);
  }

  AnswerEnd& end_;
  const TakePart& take_;
  bool done_ = false;
};

}  // namespace

AnswerEnd stream_answer(
    net::HttpClient& client, std::string_view target, std::string_view body, const TakePart& take
) {
  AnswerEnd out;
  AnswerReader reader(out, take);
  net::EventStream events([&](std::string_view, std::string_view data) {
    return reader.take_event(data);
  });
  net::HttpCall call;
  call.method = "POST";
  call.target = target;
  call.body = body;
  const auto answer =
      client.send(call, [&](const net::HttpResponse& head, std::string_view bytes) -> Status {
        out.http_status = head.status;
        return events.feed(bytes);
      });
  if (!answer.ok()) {
    out.status = answer.status();
    return out;
  }
  out.http_status = answer->status;
  out.status = check_answer(call, *answer);
  if (out.status.ok() && !reader.done()) out.status = unavailable("the answer broke off");
  return out;
}

}  // namespace cortex::cli::detail
