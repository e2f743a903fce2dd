// SPDX-License-Identifier: Apache-2.0
#include "router/stages/fit.h"

#include <variant>

#include "request/validate_infer.h"

namespace cortex::router {
namespace {

struct Fits {
  const registry::ServingVersion& version;

  Status operator()(const InferInput& input) const {
    return validate_infer(version.signature, version.config, input);
  }
  Status operator()(const GenerationInput&) const {
    if (version.signature.generates) return {};
    return invalid_argument(
        "model '" + version.identity.name + "' generates no text: it is no language model"
    );
  }
  Status operator()(const TokenizeInput&) const { return tells_tokens(); }
  Status operator()(const DetokenizeInput&) const { return tells_tokens(); }
  // The lane behind a language model: no request of a client's.
  Status operator()(const SequenceInput&) const {
    return invalid_argument("tokens alone are no request");
  }
  Status operator()(const EmbeddingInput&) const { return takes_text(); }
  Status operator()(const RerankInput&) const { return takes_text(); }

  [[nodiscard]] Status takes_text() const {
    if (!version.config.text.tokenizer.empty()) return {};
    return invalid_argument(
        "model '" + version.identity.name + "' takes no text: its configuration names no tokenizer"
    );
  }
  [[nodiscard]] Status tells_tokens() const {
    if (version.signature.generates || !version.config.text.tokenizer.empty()) return {};
    return invalid_argument(
        "model '" + version.identity.name + "' has no tokens: it takes no text"
    );
  }
};

}  // namespace

Status fits(const registry::ServingVersion& version, const Request& request) {
  return std::visit(Fits{version}, request.input);
}

Verdict Fit::enter(const std::shared_ptr<Passage>& passage) const {
  const Status status = fits(*passage->handle(), *passage->request());
  if (status.ok()) return Verdict::kContinue;
  passage->stream()->finish(status);
  return Verdict::kFinished;
}

}  // namespace cortex::router
