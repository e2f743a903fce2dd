// SPDX-License-Identifier: Apache-2.0
// The two lists: in which order a server starts and stops.
#include <functional>
#include <string_view>

#include "app/application.h"
#include "base/log.h"
#include "connectors/webhook_sender.h"
#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/codec/registry/registry_codec.h"

namespace cortex::app {

struct Application::Phase {
  std::string_view name;
  std::function<Status()> run;
};

std::vector<Application::Phase> Application::start_list() {
  return {
      {"mlflow", [this] { return mlflow_ ? mlflow_->prepare() : Status(); }},
      // What the other server said before is known before anything asks for it.
      {"remote registry",
       [this] {
         if (followed_) followed_->models().start();
         return Status();
       }},
      {"webhooks", [this] { return webhooks_ ? webhooks_->start() : Status(); }},
      // Makes the folder that the registry reads.
      {"stored models", [this] { return stored_models_ ? stored_models_->start() : Status(); }},
      {"adapters", [this] { return adapters_->start(); }},
      // Loads go on in the background; a wrong repository is told before anything listens.
      {"models", [this] { return registry_->start(); }},
      {"serving runs",
       [this] {
         if (serving_runs_) serving_runs_->start();
         return Status();
       }},
      // Listens while models load: live at once, ready later.
      {"http", [this] { return http_->start(); }},
  };
}

std::vector<Application::Phase> Application::stop_list() {
  return {
      // Load balancers turn away while everything that still comes is served.
      {"readiness",
       [this] {
         stopping_ = true;
         // Ends the trials, for which nobody waits any more.
         if (probation_) probation_->stop();
         return Status();
       }},
      {"listen",
       [this] {
         http_->stop_accepting();
         return Status();
       }},
      {"requests",
       [this] {
         const bool all = http_->drain(steady_clock().now() + settings_.drain_timeout);
         return all ? Status()
                    : deadline_exceeded("drain_timeout passed before every request was answered");
       }},
      // What is left after the deadline must not start anything new.
      {"refuse",
       [this] {
         refusing_ = true;
         return Status();
       }},
      {"connections",
       [this] {
         http_->stop();
         return Status();
       }},
      // Whatever was answered is counted by now.
      {"serving runs",
       [this] {
         if (serving_runs_) serving_runs_->stop();
         return Status();
       }},
      {"artifacts",
       [this] {
         if (mlflow_) mlflow_->stop();
         if (registry_api_) registry_api_->stop();
         return Status();
       }},
      // What is not told yet is told after the next start.
      {"webhooks",
       [this] {
         if (webhooks_) webhooks_->stop();
         return Status();
       }},
      {"remote registry",
       [this] {
         if (followed_) followed_->models().stop();
         return Status();
       }},
      {"stored models",
       [this] {
         if (stored_models_) stored_models_->stop();
         return Status();
       }},
      {"adapters",
       [this] {
         adapters_->stop();
         return Status();
       }},
      {"models",
       [this] {
         registry_->drain();
         return Status();
       }},
  };
}

Status Application::start() {
  for (const Phase& phase : start_list()) {
    const Status status = phase.run();
    if (!status.ok()) return status.with_prefix(std::string(phase.name) + ": ");
  }
  return {};
}

void Application::stop() {
  if (stopped_ || !http_ || !registry_) return;
  stopped_ = true;
  for (const Phase& phase : stop_list()) {
    log::debug("stopping", {{"phase", phase.name}});
    const Status status = phase.run();
    if (!status.ok())
      log::warning("stopping", {{"phase", phase.name}, {"error", status.to_string()}});
  }
}

}  // namespace cortex::app
