// SPDX-License-Identifier: Apache-2.0
#include "penstock/tokenizer/load.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "penstock/tokenizer.h"
#include "tokenizer/readers.h"

namespace penstock {
namespace internal {
namespace {

constexpr size_t kHeadBytes = 4096;

// One row per format, in the order in which content is asked. `read_path` serves formats whose file
// is too large to read whole; null: the file is read and given to `read`.
struct FormatRow {
  FileFormat format;
  const char* what;
  bool (*recognizes)(std::string_view head);
  absl::StatusOr<TokenizerPtr> (*read)(const SourceFile& file, const LoadOptions& options);
  absl::StatusOr<TokenizerPtr> (*read_path)(const std::string& path, const LoadOptions& options);
};
constexpr FormatRow kFormats[] = {
    {FileFormat::kGguf, "GGUF", LooksLikeGguf, ReadGguf, ReadGgufFile},
    {FileFormat::kVocabAndMerges, "vocab.json", LooksLikeVocabJson, ReadVocabAndMerges, nullptr},
    {FileFormat::kHuggingFaceJson, "tokenizer.json", LooksLikeHuggingFaceJson, ReadHuggingFaceJson,
     nullptr},
    {FileFormat::kTiktoken, "tiktoken rank file", LooksLikeTiktoken, ReadTiktoken, nullptr},
    {FileFormat::kSentencePiece, "SentencePiece .model", LooksLikeSentencePiece, ReadSentencePiece,
     nullptr},
    {FileFormat::kWordPieceVocab, "vocab.txt", LooksLikeWordPieceVocab, ReadWordPieceVocab,
     nullptr},
};

struct CloseFile {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
using FilePtr = std::unique_ptr<std::FILE, CloseFile>;

absl::StatusOr<FilePtr> Open(const std::string& path) {
  FilePtr file(std::fopen(path.c_str(), "rb"));
  if (file != nullptr) return file;
  const std::string why = absl::StrCat(path, ": ", std::strerror(errno));
  return errno == ENOENT || errno == ENOTDIR ? absl::NotFoundError(why)
                                             : absl::UnavailableError(why);
}

absl::StatusOr<std::string> Read(const std::string& path, std::FILE* file, uint64_t limit,
                                 bool head_only) {
  std::string bytes;
  constexpr size_t kAtATime = 1 << 16;  // not on the stack, which may be small
  while (true) {
    const size_t had = bytes.size();
    bytes.resize(had + kAtATime);
    const size_t got = std::fread(&bytes[had], 1, kAtATime, file);
    bytes.resize(had + got);
    if (head_only && bytes.size() >= limit) {
      bytes.resize(limit);
      return bytes;
    }
    if (bytes.size() > limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path, ": larger than ", limit, " bytes (LoadLimits::max_file_bytes)"));
    }
    if (got < kAtATime) break;
  }
  if (std::ferror(file)) {
    return absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  return bytes;
}

const FormatRow* FindFormat(FileFormat format) {
  for (const FormatRow& row : kFormats) {
    if (row.format == format) return &row;
  }
  return nullptr;
}

absl::Status NotRecognized(std::string_view name) {
  std::string known;
  for (const FormatRow& row : kFormats) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", row.what);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      AbslView(name), ": not a tokenizer file of a known format, expected one of: ", known));
}

absl::StatusOr<const FormatRow*> Recognize(std::string_view head, std::string_view name,
                                           const LoadOptions& options) {
  if (options.format.has_value()) {
    const FormatRow* row = FindFormat(*options.format);
    if (row != nullptr) return row;
    return absl::UnimplementedError(
        absl::StrCat(AbslView(name), ": no reader for the format that was asked for"));
  }
  for (const FormatRow& row : kFormats) {
    if (row.recognizes(head)) return &row;
  }
  return NotRecognized(name);
}

const TokenizerReader* FindExtraReader(std::string_view head, const LoadOptions& options) {
  if (options.format.has_value()) return nullptr;
  for (const TokenizerReader& reader : options.extra_readers) {
    if (reader.recognizes != nullptr && reader.read != nullptr && reader.recognizes(head)) {
      return &reader;
    }
  }
  return nullptr;
}

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

absl::StatusOr<std::string> FileOfFolder(const std::string& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"}) {
    const std::string path = absl::StrCat(folder, "/", name);
    struct stat info;
    if (stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) return path;
  }
  return absl::NotFoundError(absl::StrCat(
      folder, ": no tokenizer.json, tokenizer.model, vocab.json or vocab.txt in this folder"));
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, uint64_t max_bytes) {
  if (IsFolder(path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder, expected a file"));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const FilePtr file, Open(path));
  return Read(path, file.get(), max_bytes, /*head_only=*/false);
}

absl::StatusOr<std::string> ReadSibling(const SourceFile& file, const std::string& sibling,
                                        const LoadLimits& limits) {
  if (file.path.empty()) {
    return absl::NotFoundError(
        absl::StrCat(AbslView(file.name), ": read from memory, ", sibling, " is not at hand"));
  }
  const size_t slash = file.path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : file.path.substr(0, slash + 1);
  return ReadWholeFile(folder + sibling, limits.max_file_bytes);
}

}  // namespace internal

absl::StatusOr<TokenizerPtr> ParseTokenizer(std::string_view file_bytes,
                                            std::string_view name_for_messages,
                                            const LoadOptions& options) {
  if (file_bytes.size() > options.limits.max_file_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(internal::AbslView(name_for_messages), ": ",
                                                     file_bytes.size(), " bytes, expected at most ",
                                                     options.limits.max_file_bytes));
  }
  const std::string_view head = file_bytes.substr(0, internal::kHeadBytes);
  if (const TokenizerReader* reader = internal::FindExtraReader(head, options)) {
    return reader->read(file_bytes, name_for_messages, options);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const internal::FormatRow* row,
                            internal::Recognize(head, name_for_messages, options));
  return row->read({file_bytes, name_for_messages, {}}, options);
}

absl::StatusOr<TokenizerPtr> LoadTokenizer(const std::string& path, const LoadOptions& options) {
  std::string file_path = path;
  if (internal::IsFolder(path)) {
    PENSTOCK_ASSIGN_OR_RETURN(file_path, internal::FileOfFolder(path));
  }
  PENSTOCK_ASSIGN_OR_RETURN(const internal::FilePtr file, internal::Open(file_path));
  PENSTOCK_ASSIGN_OR_RETURN(const std::string head,
                            internal::Read(file_path, file.get(), internal::kHeadBytes, true));
  const TokenizerReader* reader = internal::FindExtraReader(head, options);
  const internal::FormatRow* row = nullptr;
  if (reader == nullptr) {
    PENSTOCK_ASSIGN_OR_RETURN(row, internal::Recognize(head, file_path, options));
    if (row->read_path != nullptr) return row->read_path(file_path, options);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes,
                            internal::ReadWholeFile(file_path, options.limits.max_file_bytes));
  if (reader != nullptr) return reader->read(bytes, file_path, options);
  return row->read({bytes, file_path, file_path}, options);
}

}  // namespace penstock
