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
  const bool refused = !penstock::LoadTokenizer("/no/such/file").ok();
  std::printf("protobuf beside penstock %s\n", std::string(penstock::Version()).c_str());
  google::protobuf::ShutdownProtobufLibrary();
  return same && refused ? 0 : 1;
}
