// SPDX-License-Identifier: Apache-2.0
// cortex_make_models DIR: writes a model repository of small ONNX models for tests and benchmarks.
#include <cstdio>

#include "backend/testing/sample_models.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: cortex_make_models DIR\n");
    return 2;
  }
  cortex::backend::testing::write_repository(arguments[1]);
  return 0;
}
