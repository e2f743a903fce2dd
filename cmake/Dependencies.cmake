# SPDX-License-Identifier: Apache-2.0
# What comes from packages. Least versions are those of Debian 12.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(simdjson 3.0 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(OnnxRuntimeHeaders 17 REQUIRED)
find_package(GTest QUIET)
find_package(benchmark QUIET)
