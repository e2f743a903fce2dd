// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "app/storage.h"
#include "base/status.h"
#include "config/settings.h"
#include "metrics/exposition.h"
#include "registry/remote/merged_source.h"
#include "registry/remote/remote_models.h"
#include "registry/remote/remote_registry.h"

namespace cortex::app {

// The models of another server that this one follows. Outlives whoever reads its source.
class FollowedRegistry {
 public:
  // Null when the settings name none. kInvalidArgument names the setting that is wrong.
  // `on_change`: RemoteModelsOptions::on_change. `own` and `storage` outlive it; `storage` may be
  // null.
  [[nodiscard]] static Result<std::unique_ptr<FollowedRegistry>> make(
      const config::RemoteSettings& settings,
      Storage* storage,
      registry::Source* own,
      std::function<void()> on_change
  );

  [[nodiscard]] registry::RemoteModels& models() { return *models_; }
  // The own models and the followed ones.
  [[nodiscard]] registry::Source& source() { return *source_; }

 private:
  FollowedRegistry() = default;

  std::unique_ptr<registry::RemoteRegistry> remote_;
  std::unique_ptr<registry::RemoteModels> models_;
  std::unique_ptr<registry::MergedSource> source_;
};

// As cortex_remote_*.
void write_remote_health(metrics::Exposition& out, const registry::RemoteHealth& health);

}  // namespace cortex::app
