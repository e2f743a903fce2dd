// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "frontend/codec/responses/response_item.h"
#include "request/generation.h"

namespace cortex::frontend::responses {

// Numbers the events of one stream and appends them. Thread: one.
class EventWriter {
 public:
  // Appends the head of an event, up to its number; what is appended to the text until close() is
  // the rest of its fields, each with a comma before it.
  void open(std::string& out, std::string_view type);
  void close(std::string& out) const;

 private:
  std::uint64_t next_ = 0;
};

// Makes items of what a servable says, and events of how they grow. Thread: one.
class ReplyItems {
 public:
  // `stem` makes ids unique. `events`: null where nothing is streamed; outlives this.
  ReplyItems(std::string stem, EventWriter* events) : stem_(std::move(stem)), events_(events) {}

  // Appends the events, if any, to `out`. kInternal for a call out of order, kInvalidArgument for
  // more than kCollectedBytesMax: the last event repeats all.
  [[nodiscard]] Status take(GenerationOutput&& output, std::string& out);
  // The end: no item is open any more. There is at least one, unless the bound of tokens came
  // before it.
  void finish(std::string& out);
  // An error took the place of the rest: an item that was open stays incomplete.
  void break_off(std::string& out);
  // Whether the answer ended in the middle: at the bound of tokens, or inside a call.
  [[nodiscard]] bool cut_off() const;

  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  [[nodiscard]] FinishReason reason() const { return reason_; }

 private:
  void begin(Item item, std::string_view prefix, std::string& out);
  void end_item(std::string& out);
  void say(
      Item::Kind kind, std::string_view text, std::vector<TokenText>&& tokens, std::string& out
  );
  [[nodiscard]] Status call(ToolCallDelta&& delta, std::string& out);
  void part_event(std::string& out, std::string_view type) const;
  void open_item_event(std::string& out, std::string_view type) const;

  const std::string stem_;
  EventWriter* const events_;
  std::vector<Item> items_;
  std::size_t calls_ = 0;
  std::size_t bytes_ = 0;
  bool open_ = false;  // the last item
  FinishReason reason_ = FinishReason::kNone;
};

}  // namespace cortex::frontend::responses
