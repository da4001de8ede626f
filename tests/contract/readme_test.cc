// SPDX-License-Identifier: Apache-2.0
//
// The example of the README, taken out of it by CMake.
#include <cstdio>
#include <string>

#include "readme_example.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s VOCABULARY PROMPT\n", argv[0]);
    return 2;
  }
  const absl::Status status = Serve(argv[1], argv[2]);
  std::puts(status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
