-- SPDX-License-Identifier: Apache-2.0
-- MLflow's log-batch: so many metrics, each with a new step, into one run. Behind "--": run, metrics of a batch.
local run, metrics
local step = 0
function init(args)
  run, metrics = args[1], tonumber(args[2])
  step = math.floor(os.time() % 1000000) * 100000 -- a later call repeats no step
  wrk.headers["Content-Type"] = "application/json"
end
function request()
  step = step + 1
  local parts = {}
  for i = 1, metrics do
    parts[i] = string.format('{"key":"m%d","value":%d.5,"timestamp":1,"step":%d}', i, i, step)
  end
  local body = '{"run_id":"' .. run .. '","metrics":[' .. table.concat(parts, ",") .. ']}'
  return wrk.format("POST", "/api/2.0/mlflow/runs/log-batch", nil, body)
end
