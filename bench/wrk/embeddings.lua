-- SPDX-License-Identifier: Apache-2.0
-- Embedding requests whose texts have the token counts given behind "--", in turn ([CLS] and [SEP] included).
local bodies = {}
local at = 0
function init(args)
  local model = args[1]
  for i = 2, #args do
    local words = string.rep("the ", tonumber(args[i]) - 2)
    bodies[#bodies + 1] = '{"model":"' .. model .. '","encoding_format":"base64","input":"' .. words .. '"}'
  end
  wrk.headers["Content-Type"] = "application/json"
end
function request()
  at = at % #bodies + 1
  return wrk.format("POST", "/v1/embeddings", nil, bodies[at])
end
