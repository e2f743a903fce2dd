// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cli/detail/command.h"
#include "cli/detail/context.h"

namespace cortex::cli::detail {

// A name on the command line and its line of help.
using CommandText = std::pair<std::string, std::string>;

// Adds a subcommand that runs `call` of a `Calls(context, client, flags)` on the server that its
// flags name. Thread: main.
template <typename Calls, typename Flags>
Command add_server_call(
    const Command& parent,
    const std::shared_ptr<Flags>& flags,
    const CommandText& text,
    Status (Calls::*call)()
) {
  const Command command = parent.add(text.first, text.second);
  const auto server = add_server_flags(command);
  command.does([&context = parent.context(), flags, server, call]() -> Status {
    CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect(*server));
    Calls calls(context, std::move(client), *flags);
    return (calls.*call)();
  });
  return command;
}

}  // namespace cortex::cli::detail
