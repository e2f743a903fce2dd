// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/npy.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/detail/infer_wire.h"

namespace cortex::cli::detail {
namespace {

using testing::ElementsAre;

TensorValue floats() {
  const float values[] = {1.5f, -2, 3, 4, 5, 6};
  return {"", "FP32", {2, 3}, std::string(reinterpret_cast<const char*>(values), sizeof values)};
}

std::string npy(std::string header, std::string_view data) {
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  return out.append(header).append(data);
}

TEST(Npy, reads_back_what_it_wrote_with_the_data_at_a_multiple_of_64) {
  const auto file = write_npy(floats());
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((file->size() - 24) % 64, 0u);
  const auto tensor = parse_npy(*file);
  ASSERT_TRUE(tensor.ok()) << tensor.status().to_string();
  EXPECT_EQ(tensor->datatype, "FP32");
  EXPECT_THAT(tensor->shape, ElementsAre(2, 3));
  EXPECT_EQ(tensor->bytes, floats().bytes);
  EXPECT_EQ(first_values(*tensor, 2), "1.5, -2, …");
}

TEST(Npy, reads_what_numpy_writes_for_scalars_vectors_and_texts) {
  const auto scalar =
      parse_npy(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", std::string(8, '\1'))
      );
  ASSERT_TRUE(scalar.ok()) << scalar.status().to_string();
  EXPECT_TRUE(scalar->shape.empty());
  const auto wide = parse_npy(
      npy("{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }",
          std::string_view("a\0\0\0\0\0\0\0\xe9\0\0\0z\0\0\0", 16))
  );
  ASSERT_TRUE(wide.ok()) << wide.status().to_string();
  EXPECT_EQ(wide->datatype, "BYTES");
  EXPECT_EQ(first_values(*wide, 5), "\"a\", \"\xc3\xa9z\"");
  const auto again = write_npy(*wide);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(parse_npy(*again)->bytes, wide->bytes);
}

TEST(Npy, refuses_files_that_lie_or_end_early) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  EXPECT_TRUE(parse_npy(npy(good, std::string(8, '\0'))).ok());
  EXPECT_FALSE(parse_npy(npy(good, std::string(7, '\0'))).ok());
  for (const char* header :
       {"",
        "{",
        "{'descr':",
        "{'descr': '<f4'}",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,8), }",
        "{'descr': '|S0', 'fortran_order': False, 'shape': (99999999999,), }",
        "{'descr': '|S', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }"}) {
    EXPECT_FALSE(parse_npy(npy(header, std::string(8, '\0'))).ok()) << header;
  }
  const std::string whole = *write_npy(floats());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_npy(std::string_view(whole).substr(0, length)).ok()) << length;
  }
}

TEST(InferWire, puts_tensors_behind_the_json_and_finds_them_again) {
  TensorValue input = floats();
  input.name = "x\"";
  const InferBody body = infer_body({input, input});
  EXPECT_EQ(body.body.size(), body.json_bytes + 2 * input.bytes.size());
  EXPECT_EQ(body.body.substr(body.json_bytes, input.bytes.size()), input.bytes);

  net::HttpAnswer answer;
  const std::string json =
      R"({"outputs":[{"name":"y","datatype":"FP32","shape":[2,3],"parameters":{"binary_data_size":24}}]})";
  answer.headers = {{"inference-header-content-length", std::to_string(json.size())}};
  answer.body = json + input.bytes;
  const auto outputs = infer_outputs(answer);
  ASSERT_TRUE(outputs.ok()) << outputs.status().to_string();
  EXPECT_EQ(outputs->at(0).name, "y");
  EXPECT_EQ(outputs->at(0).bytes, input.bytes);
  answer.body.pop_back();
  EXPECT_FALSE(infer_outputs(answer).ok());
}

}  // namespace
}  // namespace cortex::cli::detail
