// SPDX-License-Identifier: Apache-2.0
//
//   const TemporaryFolder folder;
//   std::ofstream(folder.path() / "tokenizer.json") << "{}";
//
// A folder of the test's own, whatever runs beside it; it goes when the object does.
#ifndef PENSTOCK_TESTS_SUPPORT_TEMPORARY_FOLDER_H_
#define PENSTOCK_TESTS_SUPPORT_TEMPORARY_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "gtest/gtest.h"

namespace penstock {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = testing::TempDir() + "/penstock_XXXXXX";
    if (const char* made = mkdtemp(pattern.data()); made != nullptr) path_ = made;
    EXPECT_FALSE(path_.empty()) << pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_TEMPORARY_FOLDER_H_
