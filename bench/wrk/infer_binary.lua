-- SPDX-License-Identifier: Apache-2.0
-- Open Inference request with one binary FP32[1,16] tensor, answered in binary.
local json = '{"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"FP32","parameters":{"binary_data_size":64}}],'
  .. '"parameters":{"binary_data_output":true}}'
wrk.method = "POST"
wrk.headers["Inference-Header-Content-Length"] = tostring(#json)
wrk.body = json .. string.rep("\0\0\128\63", 16)
