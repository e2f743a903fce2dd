// SPDX-License-Identifier: Apache-2.0
#pragma once

// The C interface of the crate in src/store/rust: signatures and XML of the S3 protocol. It sends
// nothing. Nobody but this room's sources and tests includes it.
//
// Memory: the library owns buckets alone (`cortex_s3_bucket_free` ends them). What it reads must
// live during the call, what it gives lives until the callback returns. Threads: a bucket is
// immutable; every function may be called from any thread. Callbacks run on the calling thread and
// must not throw. Errors: no panic crosses.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cortex_s3_bucket cortex_s3_bucket;

typedef struct {
  const char* data;
  size_t size;
} cortex_s3_bytes;

typedef struct {
  cortex_s3_bytes name;
  cortex_s3_bytes value;
} cortex_s3_pair;

typedef struct {
  cortex_s3_bytes endpoint;  // "https://s3.eu-west-1.amazonaws.com"
  bool path_style;           // the bucket is in the path, not in the host
  cortex_s3_bytes name;
  cortex_s3_bytes region;
  cortex_s3_bytes key;
  cortex_s3_bytes secret;
  cortex_s3_bytes token;  // empty: none
} cortex_s3_place;

// Null when the endpoint is no URL, or the name cannot stand in its host.
cortex_s3_bucket* cortex_s3_bucket_new(const cortex_s3_place* place);
void cortex_s3_bucket_free(cortex_s3_bucket* bucket);

enum {
  CORTEX_S3_GET = 0,
  CORTEX_S3_HEAD = 1,
  CORTEX_S3_PUT = 2,
  CORTEX_S3_POST = 3,
  CORTEX_S3_DELETE = 4,
};

typedef struct {
  int32_t method;
  cortex_s3_bytes object;       // a key; empty: the bucket itself
  const cortex_s3_pair* query;  // without the signature's own
  size_t query_count;
  const cortex_s3_pair* headers;  // that are signed, so must be sent: lower-case names
  size_t headers_count;
  int64_t unix_seconds;  // from when
  uint64_t seconds;      // for how long the signature holds: 1 to 604800
} cortex_s3_request;

// Gives text to its owner, once.
typedef struct {
  void* owner;
  void (*put)(void* owner, cortex_s3_bytes text);
} cortex_s3_text;

// The URL of the request with its signature in the query. False after a panic.
bool cortex_s3_sign(
    const cortex_s3_bucket* bucket, const cortex_s3_request* request, const cortex_s3_text* url
);

// The body that completes a multipart upload of parts with these ETags, numbered from 1.
bool cortex_s3_completion(const cortex_s3_bytes* etags, size_t count, const cortex_s3_text* body);

enum {
  CORTEX_S3_OBJECTS = 0,    // ListObjectsV2: key, size, time
  CORTEX_S3_UPLOADS = 1,    // ListMultipartUploads: key, upload, time
  CORTEX_S3_CREATED = 2,    // CreateMultipartUpload: upload
  CORTEX_S3_COMPLETED = 3,  // CompleteMultipartUpload: nothing
  CORTEX_S3_ERROR = 4,      // key is the code, upload the message
};

typedef struct {
  cortex_s3_bytes key;
  cortex_s3_bytes upload;
  int64_t unix_seconds;
  uint64_t size;
} cortex_s3_item;

typedef struct {
  void* owner;
  void (*item)(void* owner, const cortex_s3_item* item);
  // There is more: the continuation token, or the markers of key and upload.
  void (*more)(void* owner, cortex_s3_bytes key, cortex_s3_bytes upload);
} cortex_s3_reader;

// Reads the body of an answer of that kind. False when it is none.
bool cortex_s3_read(int32_t kind, cortex_s3_bytes body, const cortex_s3_reader* reader);

#ifdef __cplusplus
}
#endif
