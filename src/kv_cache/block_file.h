// SPDX-License-Identifier: Apache-2.0
//
// BlockFile: a bounded file of blocks of one size, that notices when it gives back something else.
//
//   PENSTOCK_ASSIGN_OR_RETURN(auto file, BlockFile::Create(path, block_floats, /*blocks=*/1000));
//   PENSTOCK_RETURN_IF_ERROR(file->Write(7, data));
//   PENSTOCK_RETURN_IF_ERROR(file->Read(7, data));  // kDataLoss: truncated, or other bytes
//
// Block i stands at i * its size; its checksum stays in memory, keyed and bound to i, so that a
// damaged, stale or misplaced block is found out. The file is new, and is removed with the object;
// after a crash it is left behind. Thread-safe: one transfer at a time.
#ifndef PENSTOCK_SRC_KV_CACHE_BLOCK_FILE_H_
#define PENSTOCK_SRC_KV_CACHE_BLOCK_FILE_H_

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"

namespace penstock::internal {

class BlockFile {
 public:
  // kAlreadyExists: something stands at `path`. kUnavailable: it cannot be made.
  static absl::StatusOr<std::unique_ptr<BlockFile>> Create(const std::string& path,
                                                           size_t block_floats, size_t blocks);
  ~BlockFile();
  BlockFile(const BlockFile&) = delete;
  BlockFile& operator=(const BlockFile&) = delete;

  // kUnavailable: the system refused (disk full, broken); the block counts as never written.
  // REQUIRES: block < blocks; `data` has block_floats.
  absl::Status Write(size_t block, const float* data);

  // kDataLoss: not what was written last. `data` is undefined after an error.
  absl::Status Read(size_t block, float* data);

 private:
  BlockFile(const std::string& path, size_t block_floats, size_t blocks);
  uint64_t Checksum(size_t block, const float* data) const;

  const std::string path_;
  const size_t block_floats_;
  const uint64_t seed_;
  Mutex mu_;
  std::fstream file_ ABSL_GUARDED_BY(mu_);
  std::vector<std::optional<uint64_t>> checksums_ ABSL_GUARDED_BY(mu_);  // by block; none: empty
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_BLOCK_FILE_H_
