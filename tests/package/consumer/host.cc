// SPDX-License-Identifier: Apache-2.0
//
// A host that uses the installed library as any user would.
#include <cstdio>
#include <memory>
#include <string>

#include "penstock/base/histogram.h"
#include "penstock/penstock.h"

int main() {
  penstock::Histogram delay_us;
  {
    const std::unique_ptr<penstock::Executor> pool = penstock::NewThreadPool(1);
    pool->Schedule([&delay_us] { delay_us.Record(41); });
  }
  const absl::StatusOr<penstock::TokenizerPtr> missing = penstock::LoadTokenizer("/no/such/file");
  std::printf("penstock %s: %s\n", std::string(penstock::Version()).c_str(),
              std::string(missing.status().message()).c_str());
  return delay_us.max() == 41 && !missing.ok() ? 0 : 1;
}
