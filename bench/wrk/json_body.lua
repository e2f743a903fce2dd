-- SPDX-License-Identifier: Apache-2.0
-- The same request again and again: GET without an argument behind "--", else POST of that JSON.
function init(args)
  if args[1] then
    wrk.method = "POST"
    wrk.body = args[1]
    wrk.headers["Content-Type"] = "application/json"
  end
end
