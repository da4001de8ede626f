// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/block_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv_cache/token_hash.h"

namespace penstock::internal {

absl::StatusOr<std::unique_ptr<BlockFile>> BlockFile::Create(const std::string& path,
                                                             size_t block_floats, size_t blocks) {
  std::FILE* fresh = std::fopen(path.c_str(), "wbx");  // never somebody else's file
  if (fresh == nullptr) {
    const int error = errno;
    std::string text = absl::StrCat("block file ", path, ": ", std::strerror(error));
    return error == EEXIST ? absl::AlreadyExistsError(text) : absl::UnavailableError(text);
  }
  std::fclose(fresh);
  std::unique_ptr<BlockFile> made(new BlockFile(path, block_floats, blocks));
  MutexLock lock(made->mu_);
  made->file_.rdbuf()->pubsetbuf(nullptr, 0);
  made->file_.open(path, std::ios::in | std::ios::out | std::ios::binary);
  if (!made->file_.is_open()) {
    return absl::UnavailableError(absl::StrCat("block file ", path, ": cannot be opened"));
  }
  return made;
}

BlockFile::BlockFile(const std::string& path, size_t block_floats, size_t blocks)
    : path_(path), block_floats_(block_floats), seed_(std::random_device()()), checksums_(blocks) {}

BlockFile::~BlockFile() {
  {
    MutexLock lock(mu_);
    file_.close();
  }
  std::remove(path_.c_str());
}

uint64_t BlockFile::Checksum(size_t block, const float* data) const {
  return BlockHasher(seed_).Bytes(
      block, std::string_view(reinterpret_cast<const char*>(data), block_floats_ * sizeof(float)));
}

absl::Status BlockFile::Write(size_t block, const float* data) {
  const uint64_t checksum = Checksum(block, data);
  const size_t bytes = block_floats_ * sizeof(float);
  MutexLock lock(mu_);
  checksums_[block].reset();
  file_.clear();
  file_.seekp(static_cast<std::streamoff>(block) * static_cast<std::streamoff>(bytes));
  file_.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(bytes));
  file_.flush();
  if (!file_) {
    return absl::UnavailableError(absl::StrCat("block file ", path_, ": block ", block,
                                               " could not be written, disk full or failing"));
  }
  checksums_[block] = checksum;
  return absl::OkStatus();
}

absl::Status BlockFile::Read(size_t block, float* data) {
  const size_t bytes = block_floats_ * sizeof(float);
  std::optional<uint64_t> expected;
  std::streamsize got = 0;
  {
    MutexLock lock(mu_);
    expected = checksums_[block];
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(block) * static_cast<std::streamoff>(bytes));
    if (file_) {
      file_.read(reinterpret_cast<char*>(data), static_cast<std::streamsize>(bytes));
      got = file_.gcount();
    }
  }
  if (!expected.has_value()) {
    return absl::DataLossError(
        absl::StrCat("block file ", path_, ": block ", block, " was never written"));
  }
  if (got != static_cast<std::streamsize>(bytes)) {
    return absl::DataLossError(absl::StrCat("block file ", path_, ": block ", block, " has ", got,
                                            " bytes, expected ", bytes));
  }
  if (Checksum(block, data) != *expected) {
    return absl::DataLossError(
        absl::StrCat("block file ", path_, ": block ", block, " is not what was written"));
  }
  return absl::OkStatus();
}

}  // namespace penstock::internal
