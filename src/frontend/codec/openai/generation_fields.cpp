// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/generation_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "frontend/codec/detail/field_rows.h"
#include "frontend/codec/detail/sampling_fields.h"
#include "frontend/codec/generation_bounds.h"
#include "frontend/codec/openai/output_format.h"

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::int32_t kIntMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kIntMax = std::numeric_limits<std::int32_t>::max();

constexpr FloatField kFloats[] = {
    {"temperature", &SamplingSettings::temperature, 0, 2},
    {"top_p", &SamplingSettings::top_p, 0, 1},
    {"min_p", &SamplingSettings::min_p, 0, 1},
    {"typical_p", &SamplingSettings::typical_p, 0, 1, true},
    {"repeat_penalty", &SamplingSettings::repeat_penalty, 0, 2, true},
    {"repetition_penalty", &SamplingSettings::repeat_penalty, 0, 2, true},
    {"frequency_penalty", &SamplingSettings::frequency_penalty, -2, 2},
    {"presence_penalty", &SamplingSettings::presence_penalty, -2, 2},
    {"dry_multiplier", &SamplingSettings::dry_multiplier, 0, 100},
    {"dry_base", &SamplingSettings::dry_base, 1, 100},
    {"xtc_probability", &SamplingSettings::xtc_probability, 0, 1},
    {"xtc_threshold", &SamplingSettings::xtc_threshold, 0, 1},
    {"mirostat_tau", &SamplingSettings::mirostat_tau, 0, 100},
    {"mirostat_eta", &SamplingSettings::mirostat_eta, 0, 1},
};

constexpr IntegerField kIntegers[] = {
    {"top_k", &SamplingSettings::top_k, -1, kIntMax},
    {"repeat_last_n", &SamplingSettings::penalty_last, -1, kIntMax},
    {"dry_allowed_length", &SamplingSettings::dry_allowed_length, 0, kIntMax},
    {"dry_penalty_last_n", &SamplingSettings::dry_penalty_last, -1, kIntMax},
    {"mirostat", &SamplingSettings::mirostat, 0, 2},
};

Status read_model(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_text(value, name, draft.call.model);
}

Status read_tokens_max(
    ondemand::value value, std::string_view name, std::optional<std::uint64_t>& out
) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {1, kIntMax}, number));
  out = static_cast<std::uint64_t>(number);
  return {};
}

Status read_max_tokens(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_tokens_max(value, name, draft.tokens_max);
}

Status read_max_chat_tokens(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_tokens_max(value, name, draft.chat_tokens_max);
}

// llama-server's: -1 goes on to the end of the context.
Status read_n_predict(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {-1, kIntMax}, number));
  if (number == 0) return field_error(name, "-1, or a whole number from 1");
  draft.predict_max = number < 0 ? 0 : static_cast<std::uint64_t>(number);
  return {};
}

Status read_count(ondemand::value value, std::string_view name, std::size_t& out) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {1, kChoicesMax}, number));
  out = static_cast<std::size_t>(number);
  return {};
}

Status read_n(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_count(value, name, draft.call.inputs.front().sequences);
}

Status read_best_of(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_count(value, name, draft.call.inputs.front().best_of);
}

// Any whole number that JSON clients send; -1 is llama-server's and vLLM's word for none.
Status read_seed(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  auto& seed = draft.call.inputs.front().sampling.seed;
  std::uint64_t big = 0;
  std::int64_t number = 0;
  if (!value.get_int64().get(number)) {
    if (number != -1) seed = static_cast<std::uint64_t>(number);
    return {};
  }
  if (value.get_uint64().get(big)) return field_error(name, "a whole number");
  seed = big;
  return {};
}

Status read_stop(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_stops(value, name, draft.call.inputs.front().stop);
}

Status add_breaker(
    ondemand::value value, std::string_view name, std::vector<std::string>& breakers
) {
  if (breakers.size() >= kBreakersMax) {
    return field_error(name, "a list of at most " + std::to_string(kBreakersMax) + " strings");
  }
  CORTEX_RETURN_IF_ERROR(read_text(value, name, breakers.emplace_back()));
  if (!breakers.back().empty() && breakers.back().size() <= kBreakerBytesMax) return {};
  return field_error(
      name, "a list of strings of 1 to " + std::to_string(kBreakerBytesMax) + " bytes"
  );
}

// llama-server's, which refuses an empty list, too.
Status read_dry_breakers(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of strings");
  auto& breakers = draft.call.inputs.front().sampling.dry_breakers;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value text) {
    return add_breaker(text, name, breakers);
  }));
  return breakers.empty() ? field_error(name, "a list that is not empty") : Status();
}

Status add_bias(
    std::string_view key, ondemand::value value, std::vector<std::pair<Token, float>>& biases
) {
  constexpr std::string_view kName = "logit_bias";
  if (biases.size() >= kBiasesMax) {
    return field_error(kName, "an object of at most " + std::to_string(kBiasesMax) + " tokens");
  }
  Token token = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
  if (error != std::errc() || end != key.data() + key.size() || token < 0) {
    return field_error(kName, "an object whose names are ids of tokens");
  }
  double bias = 0;
  if (!read_number(value, kName, bias).ok() || bias < -100 || bias > 100) {
    return field_error(kName, "an object of numbers from -100 to 100");
  }
  biases.emplace_back(token, static_cast<float>(bias));
  return {};
}

Status read_logit_bias(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  ondemand::object object;
  if (value.get_object().get(object)) {
    return field_error(name, "an object of numbers by token id");
  }
  auto& biases = draft.call.inputs.front().sampling.logit_bias;
  return for_each_field(object, [&](std::string_view key, ondemand::value bias) {
    return add_bias(key, bias, biases);
  });
}

Status read_stream(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_bool(value, name, draft.call.stream);
}

Status read_stream_option(std::string_view key, ondemand::value value, GenerationDraft& draft) {
  if (key == "include_obfuscation") return skip_value(value);  // padding against eavesdroppers
  const std::string name = "stream_options." + std::string(key);
  if (key == "include_usage") {
    return with_field_name(read_bool(value, name, draft.call.include_usage), name);
  }
  if (key == "continuous_usage_stats") {
    return with_field_name(read_bool(value, name, draft.call.continuous_usage), name);
  }
  return unknown_field(name);
}

Status read_stream_options(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  draft.stream_options = true;
  return for_each_given(value, name, [&](std::string_view key, ondemand::value option) {
    return read_stream_option(key, option, draft);
  });
}

Status read_ignore_eos(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_bool(value, name, draft.call.inputs.front().ignore_end);
}

Status read_cache_salt(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_text(value, name, draft.call.inputs.front().cache_salt);
}

// vLLM's: lower is sooner.
Status read_priority(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {kIntMin, kIntMax}, number));
  draft.call.niceness = static_cast<std::int32_t>(number);
  return {};
}

// llama-server's: so many tokens are foretold in a step at most.
Status read_drafts_max(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {0, kIntMax}, number));
  draft.call.inputs.front().draft_tokens_max = static_cast<std::size_t>(number);
  return {};
}

constexpr GenerationField kFields[] = {
    {"model", read_model},
    {"max_tokens", read_max_tokens},
    {"max_completion_tokens", read_max_chat_tokens},
    {"n_predict", read_n_predict},
    {"n", read_n},
    {"best_of", read_best_of},
    {"seed", read_seed},
    {"stop", read_stop},
    {"dry_sequence_breakers", read_dry_breakers},
    {"logit_bias", read_logit_bias},
    {"stream", read_stream},
    {"stream_options", read_stream_options},
    {"ignore_eos", read_ignore_eos},
    {"speculative.n_max", read_drafts_max},
    {"cache_salt", read_cache_salt},
    {"priority", read_priority},
    {"response_format", read_response_format},
    {"structured_outputs", read_structured_outputs},
    {"guided_json", read_guided_json},
    {"json_schema", read_guided_json},
    {"guided_regex", read_guided_regex},
    {"guided_choice", read_guided_choice},
    {"guided_grammar", read_guided_grammar},
};

// Fields that need nothing: notes of the client and hints for speed, whatever they say; of those
// that would promise something, the values that say what happens anyway. docs/openai.md lists them.
constexpr IdleField kIdle[] = {
    {"user", ""},
    {"metadata", ""},
    {"store", "false"},
    {"service_tier", R"("auto"|"default")"},
    {"safety_identifier", ""},
    {"prompt_cache_key", ""},
    {"prompt_cache_retention", ""},
    {"prompt_cache_options", ""},
    {"prediction", ""},
    {"request_id", ""},
    {"cache_prompt", "true"},
    {"id_slot", "-1"},
    {"n_keep", "0|-1"},  // nothing of a prompt is ever dropped
    {"guided_decoding_backend", ""},
    {"timings_per_token", "false"},
    {"min_tokens", "0"},
    {"stop_token_ids", "[]"},
    {"bad_words", "[]"},
    {"use_beam_search", "false"},
    {"length_penalty", "1|1.0"},
    {"include_stop_str_in_output", "false"},
    {"skip_special_tokens", "true"},
    {"spaces_between_special_tokens", "true|false"},
    {"return_token_ids", "false"},
    {"return_tokens_as_token_ids", "false"},
    {"dynatemp_range", "0|0.0"},
    {"dynatemp_exponent", ""},
    {"top_n_sigma", "-1|-1.0"},
    {"n_probs", "0"},
    {"stop_regex", "[]"},
    {"speculative.n_min", "0"},
    {"speculative.p_min", "0|0.0"},
};

bool is_one_of(std::string_view text, std::string_view values) {
  while (!values.empty()) {
    const auto cut = std::min(values.find('|'), values.size());
    if (values.substr(0, cut) == text) return true;
    values.remove_prefix(std::min(cut + 1, values.size()));
  }
  return false;
}

Status read_idle(ondemand::value value, const IdleField& field) {
  if (field.values.empty()) return skip_value(value);
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  if (is_one_of(text, field.values)) return {};
  std::string values(field.values);
  std::replace(values.begin(), values.end(), '|', ',');
  return unsupported_field(field.name, "it may be left out, or be " + values);
}

}  // namespace

Status GenerationReader::read(std::string_view padded_body) {
  HotJson json(padded_body);
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value value) {
    return take(key, value);
  }));
  CORTEX_RETURN_IF_ERROR(json.at_end());
  return finish();
}

Status GenerationReader::note(std::string_view name) {
  if (std::find(seen_.begin(), seen_.end(), name) != seen_.end()) {
    return invalid_argument("'" + std::string(name) + "' is given twice")
        .with_field(std::string(name));
  }
  seen_.push_back(name);
  return {};
}

Status GenerationReader::take(std::string_view key, ondemand::value value) {
  if (draft_.call.inputs.empty()) draft_.call.inputs.emplace_back();
  bool null = false;
  if (const auto error = value.is_null().get(null)) return malformed_json(error);
  if (null) return {};
  SamplingSettings& sampling = draft_.call.inputs.front().sampling;
  const auto* field = find_row(own_, key);
  if (field == nullptr) field = find_row(kFields, key);
  if (field != nullptr) {
    CORTEX_RETURN_IF_ERROR(note(field->name));
    return with_field_name(field->read(value, field->name, draft_), field->name);
  }
  if (const auto* number = find_row(kFloats, key)) {
    CORTEX_RETURN_IF_ERROR(note(number->name));
    return read_field(value, number->name, *number, sampling);
  }
  if (const auto* number = find_row(kIntegers, key)) {
    CORTEX_RETURN_IF_ERROR(note(number->name));
    return read_field(value, number->name, *number, sampling);
  }
  const auto* idle = find_row(own_idle_, key);
  if (idle == nullptr) idle = find_row(kIdle, key);
  if (idle != nullptr) return with_field_name(read_idle(value, *idle), idle->name);
  return unknown_field(key);
}

Status GenerationReader::finish() {
  if (draft_.call.model.empty()) {
    return invalid_argument("you must provide a 'model' parameter").with_field("model");
  }
  if (draft_.stream_options && !draft_.call.stream) {
    return invalid_argument("'stream_options' may be given only with 'stream'")
        .with_field("stream_options");
  }
  GenerationInput& input = draft_.call.inputs.front();
  if (input.best_of != 0 && input.best_of < input.sequences) {
    return invalid_argument("'best_of' must be at least 'n'").with_field("best_of");
  }
  if (draft_.call.stream && input.best_of > input.sequences) {
    return unsupported_field("best_of", "the best are known at the end, they cannot be streamed");
  }
  SamplingSettings& sampling = input.sampling;
  sampling.top_p = std::max(sampling.top_p, std::numeric_limits<float>::min());  // 0: the first
  sampling.top_k = std::max(sampling.top_k, 0);
  input.tokens_max = draft_.most_tokens().value_or(0);
  return {};
}

}  // namespace cortex::frontend::openai
