// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/sequence_backend.h"
#include "backend/sequence_controls.h"
#include "base/thread_pool.h"
#include "request/servable.h"
#include "text/chat_template.h"
#include "text/grammar.h"
#include "text/reply_parser.h"

namespace cortex::backend {

struct GenerationParts {
  std::unique_ptr<Servable> lane;                               // of the model: takes SequenceInput
  SequenceControls* controls = nullptr;                         // of that lane; null: it has none
  std::shared_ptr<SequenceBackend> backend;                     // for what any thread may call
  std::shared_ptr<const text::ChatTemplate> chat_template;      // null: no conversations
  std::shared_ptr<const text::GrammarVocabulary> grammars;      // null: made on first use, kept
  text::ReplyFormat reply_format = text::ReplyFormat::kHermes;  // of the template's family
  ThreadPool* cpu = nullptr;  // templates, tokens and grammars of long requests; outlives it
};

// A language model: chat template, tokens and grammar in front of a sequence lane; characters, stop
// strings, reasoning and calls of tools behind it.
//
// A conversation or prompt becomes one SequenceInput of `n` sequences (all of best_of); what the
// lane draws comes back as GenerationOutput parts, one for each sequence that went on, joined while
// the reader is slow. A stop string ends its sequence, in the lane, too; the last one that ends,
// ends the lane's request. When the reader stops reading, nothing is read from the lane, and the
// lane pauses.
//
// What tokens a conversation or text becomes, and what text tokens are, is told without the lane;
// of a text that is long, on the pool.
//
// Errors before the first part: kInvalidArgument for a prompt over the context length (code
// `context_length_exceeded`, with the counts), a template that refused, a schema that is not
// supported; kUnimplemented for conversations without a template; else what the lane says.
// Its operators load adapters and name prefixes through language(); a named conversation is
// rendered to the end of its last message, and what requests that begin with it have in common with
// it is in memory. Reading an adapter and rendering happen on the calling thread. Threads: submit
// on any; text on the lane's thread (microseconds for a token), or on the reader's where it was he
// that others waited for; first work on the pool where the request is long.
class GenerationServable final : public Servable, private LanguageControls {
 public:
  [[nodiscard]] static Result<std::unique_ptr<GenerationServable>> make(GenerationParts parts);
  ~GenerationServable() override;

  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override;
  [[nodiscard]] LanguageControls* language() override;

 private:
  [[nodiscard]] Result<std::size_t> load_adapter(
      const std::string& name, const std::filesystem::path& file
  ) override;
  bool unload_adapter(const std::string& name) override;
  [[nodiscard]] Status create_prefix(const PrefixRequest& prefix) override;
  bool remove_prefix(const std::string& name) override;
  [[nodiscard]] std::vector<PrefixState> prefixes() const override;

  struct Inner;
  explicit GenerationServable(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::backend
