// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>

#include "penstock/penstock.h"
#include "request.pb.h"

int main() {
  GOOGLE_PROTOBUF_VERIFY_VERSION;
  host::Request request;
  request.set_id("1");
  request.set_prompt("Hello");
  request.add_token_ids(7);
  host::Request parsed;
  const bool same =
      parsed.ParseFromString(request.SerializeAsString()) && parsed.prompt() == "Hello";
  // The very kind of file for which others bring a protobuf of their own.
  const absl::StatusOr<penstock::TokenizerPtr> tokenizer = penstock::LoadTokenizer(MODEL_PATH);
  const bool encodes =
      tokenizer.ok() && (*tokenizer)->Decode((*tokenizer)->EncodeIds("Hello")) == "Hello";
  std::printf("protobuf beside penstock %s\n", std::string(penstock::Version()).c_str());
  google::protobuf::ShutdownProtobufLibrary();
  return same && encodes ? 0 : 1;
}
