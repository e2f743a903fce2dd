// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_tokenizer.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

namespace cortex::backend {
namespace {

using Ids = std::span<const Token>;

// What is left of `length_max` beside `special` tokens.
Result<std::size_t> room_beside(std::size_t length_max, std::size_t special) {
  if (length_max == 0) return std::numeric_limits<std::size_t>::max();
  if (length_max >= special) return length_max - special;
  return invalid_argument(
      "A length of " + std::to_string(length_max) + " has no room for the " +
      std::to_string(special) + " special tokens."
  );
}

text::Encoding joined(std::initializer_list<Ids> parts, bool truncated) {
  text::Encoding out;
  for (const Ids part : parts) out.ids.insert(out.ids.end(), part.begin(), part.end());
  out.type_ids.assign(out.ids.size(), 0);
  out.truncated = truncated;
  return out;
}

}  // namespace

TokenShare share_tokens(std::size_t room, std::size_t first, std::size_t second) {
  if (first <= room && second <= room - first) return {first, second};
  const std::size_t shorter = std::min({first, second, room / 2});
  return first > second ? TokenShare{room - shorter, shorter} : TokenShare{shorter, room - shorter};
}

Result<std::shared_ptr<const LlamaTokenizer>> LlamaTokenizer::make(
    std::shared_ptr<const LlamaWeights> weights
) {
  const LlamaFunctions& api = weights->api();
  // Without one the library ends the process at the first text.
  if (api.llama_vocab_type(api.llama_model_get_vocab(weights->model())) == LLAMA_VOCAB_TYPE_NONE) {
    return invalid_argument("it has no vocabulary");
  }
  const std::shared_ptr<LlamaTokenizer> out(new LlamaTokenizer(std::move(weights)));
  if (out->vocabulary_size() == 0) return invalid_argument("it has no vocabulary");
  if (!out->is_whole(out->frame_)) {
    return invalid_argument("its vocabulary lacks a token that it puts around a text");
  }
  Frame pair = out->make_pair_frame();
  if (out->is_whole(pair)) out->pair_ = std::move(pair);
  return std::shared_ptr<const LlamaTokenizer>(out);
}

LlamaTokenizer::LlamaTokenizer(std::shared_ptr<const LlamaWeights> weights)
    : weights_(std::move(weights)),
      api_(weights_->api()),
      vocabulary_(api_, weights_->model()),
      inner_(api_.llama_model_get_vocab(weights_->model())),
      bert_(api_.llama_vocab_type(inner_) == LLAMA_VOCAB_TYPE_WPM),
      frame_(make_frame()) {}

LlamaTokenizer::Frame LlamaTokenizer::make_frame() const {
  Frame out;
  if (bert_ || api_.llama_vocab_get_add_bos(inner_)) out.front = {api_.llama_vocab_bos(inner_)};
  if (bert_) {
    out.back = {api_.llama_vocab_sep(inner_)};
  } else if (api_.llama_vocab_get_add_eos(inner_)) {
    out.back = {api_.llama_vocab_eos(inner_)};
  }
  return out;
}

LlamaTokenizer::Frame LlamaTokenizer::make_pair_frame() const {
  Frame out = frame_;
  if (bert_) {
    out.between = out.back;
    return out;
  }
  const Token own = api_.llama_vocab_eos(inner_);
  const Token end = own == LLAMA_TOKEN_NULL ? api_.llama_vocab_sep(inner_) : own;
  if (api_.llama_vocab_get_add_eos(inner_)) out.between = out.back = {end};
  if (api_.llama_vocab_get_add_sep(inner_)) out.between.push_back(api_.llama_vocab_sep(inner_));
  return out;
}

bool LlamaTokenizer::is_whole(const Frame& frame) const {
  const auto there = [this](Token token) {
    return token >= 0 && static_cast<std::size_t>(token) < vocabulary_.size();
  };
  return std::ranges::all_of(frame.front, there) && std::ranges::all_of(frame.between, there) &&
         std::ranges::all_of(frame.back, there);
}

// The library reads every text to its end.
Result<std::vector<Token>> LlamaTokenizer::tokens_of(std::string_view text, bool special) const {
  if (text.size() > text::kWholeTextBytesMax) {
    return invalid_argument(
        "The text has " + std::to_string(text.size()) +
        " bytes; the limit for a text that this tokenizer must read to its end is " +
        std::to_string(text::kWholeTextBytesMax) + " bytes."
    );
  }
  return vocabulary_.tokenize(text, false, special);
}

Result<text::Encoding> LlamaTokenizer::encode(
    std::string_view text, const text::EncodeOptions& options
) const {
  const Frame frame = options.add_special_tokens ? frame_ : Frame();
  CORTEX_ASSIGN_OR_RETURN(
      const std::size_t room,
      room_beside(options.length_max, frame.front.size() + frame.back.size())
  );
  CORTEX_ASSIGN_OR_RETURN(const std::vector<Token> tokens, tokens_of(text, true));
  const std::size_t kept = std::min(room, tokens.size());
  return joined({frame.front, Ids(tokens).first(kept), frame.back}, kept < tokens.size());
}

Result<text::Encoding> LlamaTokenizer::encode_pair(
    std::string_view first, std::string_view second, const text::EncodeOptions& options
) const {
  if (!pair_) return failed_precondition("its vocabulary lacks the token between two texts");
  const Frame frame = options.add_special_tokens ? *pair_ : Frame();
  const std::size_t special = frame.front.size() + frame.between.size() + frame.back.size();
  CORTEX_ASSIGN_OR_RETURN(const std::size_t room, room_beside(options.length_max, special));
  CORTEX_ASSIGN_OR_RETURN(const std::vector<Token> one, tokens_of(first, false));
  CORTEX_ASSIGN_OR_RETURN(const std::vector<Token> two, tokens_of(second, false));
  const TokenShare kept = share_tokens(room, one.size(), two.size());
  return joined(
      {frame.front,
       Ids(one).first(kept.first),
       frame.between,
       Ids(two).first(kept.second),
       frame.back},
      kept.first < one.size() || kept.second < two.size()
  );
}

Result<std::size_t> LlamaTokenizer::count(std::string_view text) const {
  CORTEX_ASSIGN_OR_RETURN(const std::vector<Token> tokens, tokens_of(text, true));
  return frame_.front.size() + tokens.size() + frame_.back.size();
}

Result<std::string> LlamaTokenizer::decode(std::span<const std::int64_t> ids, bool skip_special)
    const {
  std::vector<Token> tokens;
  for (const std::int64_t id : ids) {
    if (!std::in_range<std::uint32_t>(id)) {
      return invalid_argument("The token id " + std::to_string(id) + " is out of range.");
    }
    const bool known = static_cast<std::uint64_t>(id) < vocabulary_.size();
    if (known) tokens.push_back(static_cast<Token>(id));
  }
  if (tokens.size() > std::numeric_limits<std::int32_t>::max()) {
    return invalid_argument("There are too many tokens.");
  }
  std::string out(tokens.size() * 8, '\0');
  // A second time where the room was too little: the library says how much it wants.
  for (int turn = 0; turn < 2; ++turn) {
    const std::int32_t length = api_.llama_detokenize(
        inner_,
        tokens.data(),
        static_cast<std::int32_t>(tokens.size()),
        out.data(),
        static_cast<std::int32_t>(out.size()),
        false,
        !skip_special
    );
    out.resize(static_cast<std::size_t>(std::abs(length)));
    if (length >= 0) break;
  }
  // Every word of this kind begins with a space, also the first.
  if (bert_ && out.starts_with(' ')) out.erase(0, 1);
  return out;
}

Result<std::int64_t> LlamaTokenizer::token_id(std::string_view token) const {
  for (std::size_t id = 0; id < vocabulary_.size(); ++id) {
    const char* text = api_.llama_vocab_get_text(inner_, static_cast<Token>(id));
    if (text != nullptr && token == text) return static_cast<std::int64_t>(id);
  }
  return not_found("The vocabulary has no token '" + std::string(token) + "'.");
}

}  // namespace cortex::backend
