// SPDX-License-Identifier: Apache-2.0
//
// The folder of real vocabularies, vectors and traces that some tests read. It is not part of the
// project; its place comes from the environment variable PENSTOCK_TEST_DATA, and tests that need it
// are skipped where it is absent.
//
//   TEST(LoadTest, ReadsARealRankFile) {
//     PENSTOCK_TEST_DATA_OR_SKIP(path, "vocab/llama3/tokenizer.model");   // std::string path, or
//     GTEST_SKIP() Load(path);
//   }
//   std::string lines = ReadTestFile(path);                               // *.gz comes back
//   unpacked
#ifndef PENSTOCK_TESTS_SUPPORT_TEST_DATA_H_
#define PENSTOCK_TESTS_SUPPORT_TEST_DATA_H_

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace penstock {

inline bool FileExists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

// $PENSTOCK_TEST_DATA/`relative` when the variable is set and the file or folder exists.
inline std::optional<std::string> TestDataPath(std::string_view relative) {
  const char* const root = std::getenv("PENSTOCK_TEST_DATA");
  if (root == nullptr || *root == '\0') return std::nullopt;
  std::string path = std::string(root) + "/" + std::string(relative);
  if (!FileExists(path)) return std::nullopt;
  return path;
}

// Why TestDataPath() has nothing to give.
inline std::string TestDataMissing(std::string_view relative) {
  const char* const root = std::getenv("PENSTOCK_TEST_DATA");
  if (root == nullptr || *root == '\0') {
    return "PENSTOCK_TEST_DATA is not set (needs " + std::string(relative) + ")";
  }
  return "PENSTOCK_TEST_DATA has no " + std::string(relative);
}

// The whole file, unpacked if its name ends in .gz. A file that cannot be read fails the test and
// comes back empty.
inline std::string ReadTestFile(const std::string& path) {
  const bool packed = path.size() > 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
  std::FILE* const file =
      packed ? ::popen(("gzip -dc '" + path + "'").c_str(), "r") : std::fopen(path.c_str(), "rb");
  std::string bytes;
  if (file == nullptr) {
    ADD_FAILURE() << "cannot read " << path;
    return bytes;
  }
  char buffer[1 << 16];
  for (size_t n; (n = std::fread(buffer, 1, sizeof(buffer), file)) > 0;) bytes.append(buffer, n);
  if ((packed ? ::pclose(file) : std::fclose(file)) != 0) ADD_FAILURE() << "cannot read " << path;
  return bytes;
}

}  // namespace penstock

// Declares `std::string variable`, or skips the test and says why. In the body of a TEST only.
#define PENSTOCK_TEST_DATA_OR_SKIP(variable, relative)     \
  if (!::penstock::TestDataPath(relative).has_value())     \
    GTEST_SKIP() << ::penstock::TestDataMissing(relative); \
  const std::string variable = *::penstock::TestDataPath(relative)

#endif  // PENSTOCK_TESTS_SUPPORT_TEST_DATA_H_
