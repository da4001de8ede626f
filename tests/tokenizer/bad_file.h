// SPDX-License-Identifier: Apache-2.0
//
// Tables of malformed files.
//
//   ExpectRefused({{"two spaces", good + "aGVs  300\n", kDataLoss, "rank"}, …}, options);
//
// Each row is refused with its code and a message that names the file and holds the fragment: place
// or expectation. Rows are named by their pathology, once.
#ifndef PENSTOCK_TESTS_TOKENIZER_BAD_FILE_H_
#define PENSTOCK_TESTS_TOKENIZER_BAD_FILE_H_

#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "penstock/tokenizer.h"

namespace penstock {

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kTooMuch = absl::StatusCode::kResourceExhausted;
constexpr absl::StatusCode kUnknown = absl::StatusCode::kUnimplemented;
constexpr absl::StatusCode kWrong = absl::StatusCode::kInvalidArgument;

struct BadFile {
  std::string pathology;
  std::string bytes;
  absl::StatusCode code;
  std::string message;  // a part of it
};

inline void ExpectRefused(const BadFile& bad, const absl::Status& status) {
  ASSERT_FALSE(status.ok()) << bad.pathology;
  EXPECT_EQ(status.code(), bad.code) << bad.pathology << ": " << status;
  const std::string message(status.message());
  EXPECT_THAT(message, testing::HasSubstr("bad.file")) << bad.pathology;
  EXPECT_THAT(message, testing::HasSubstr(bad.message)) << bad.pathology;
}

inline void ExpectRefused(const std::vector<BadFile>& files, const LoadOptions& options) {
  std::set<std::string> names;
  for (const BadFile& bad : files) {
    EXPECT_TRUE(names.insert(bad.pathology).second) << bad.pathology << " is there twice";
    // In its own allocation, so that reading past the end is seen.
    const std::vector<char> bytes(bad.bytes.begin(), bad.bytes.end());
    ExpectRefused(bad, ParseTokenizer({bytes.data(), bytes.size()}, "bad.file", options).status());
  }
  testing::Test::RecordProperty("bad_files", static_cast<int>(files.size()));
}

// `file` with the one occurrence of `from` replaced.
inline std::string With(std::string file, const std::string& from, const std::string& to) {
  const size_t at = file.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) file.replace(at, from.size(), to);
  return file;
}

inline std::string Repeat(const std::string& s, size_t times) {
  std::string out;
  while (times-- > 0) out += s;
  return out;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_TOKENIZER_BAD_FILE_H_
