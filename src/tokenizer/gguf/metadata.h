// SPDX-License-Identifier: Apache-2.0
//
// The metadata of a GGUF file: key-value pairs, of which those that describe the tokenizer are
// kept.
//
//   FileSource source(file);                                   // or MemorySource(bytes)
//   PENSTOCK_ASSIGN_OR_RETURN(GgufMetadata m, ReadGgufMetadata(&source, "model.gguf", limits));
//   m.String("tokenizer.ggml.model")                           // "gpt2", or null
//   ReadGgufMetadata(…).status()
//   // DATA_LOSS: model.gguf: key 7, "tokenizer.ggml.tokens", at byte 512: the file ends here
//
// Grammar (little endian; https://github.com/ggml-org/ggml/blob/master/docs/gguf.md):
//   file   := "GGUF" version:u32 tensors:u64 pairs:u64 pair* …tensor infos and data, never read
//   pair   := key:string type:u32 value
//   string := length:u64 bytes
//   array  := type:u32 count:u64 value*
// Versions 2 and 3. Version 1 had other counts; big-endian files are refused as such. Every count
// is checked against a limit and against what is left of the file before anything is allocated for
// it.
#ifndef PENSTOCK_SRC_TOKENIZER_GGUF_METADATA_H_
#define PENSTOCK_SRC_TOKENIZER_GGUF_METADATA_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"

namespace penstock::internal {

// Bytes read from front to back.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  // False at the end of the file or on an error.
  virtual bool Read(char* out, size_t bytes) = 0;
};

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  bool Read(char* out, size_t bytes) override;

 private:
  std::string_view bytes_;
  size_t position_ = 0;
};

// Reads a file in pieces of 64 KiB; the rest of it, however large, is left alone.
class FileSource : public ByteSource {
 public:
  // Borrows `file`, which must be open at its begin and seekable.
  explicit FileSource(std::FILE* file);
  uint64_t size() const override { return size_; }
  bool Read(char* out, size_t bytes) override;

 private:
  std::FILE* file_;
  uint64_t size_ = 0;
};

struct GgufValue {
  enum class Kind : uint8_t {
    kInteger,
    kFloat,
    kBool,
    kString,
    kBytes,
    kIntegers,
    kFloats,
    kStrings
  };
  Kind kind = Kind::kInteger;
  int64_t integer = 0;  // kInteger, kBool; unsigned 64-bit values beyond int64 are refused
  double number = 0;    // kFloat
  std::string string;   // kString, kBytes
  std::vector<int64_t> integers;
  std::vector<float> floats;
  std::vector<std::string> strings;
};

class GgufMetadata {
 public:
  // Null if there is no such key or it is of another kind.
  const std::string* String(const std::string& key) const;
  const std::string* Bytes(const std::string& key) const;  // an array of 8-bit numbers
  const std::vector<std::string>* Strings(const std::string& key) const;
  const std::vector<float>* Floats(const std::string& key) const;
  const std::vector<int64_t>* Integers(const std::string& key) const;
  std::optional<int64_t> Integer(const std::string& key) const;
  std::optional<bool> Bool(const std::string& key) const;
  bool Has(const std::string& key) const { return values.count(key) > 0; }

  std::map<std::string, GgufValue> values;  // keys that begin with "tokenizer." or "general."

 private:
  const GgufValue* Find(const std::string& key, GgufValue::Kind kind) const;
};

// kDataLoss, kResourceExhausted (limits: max_file_bytes of metadata, max_vocabulary or max_merges
// elements an array, 16 MiB a string, 65536 pairs), kUnimplemented (version, byte order).
absl::StatusOr<GgufMetadata> ReadGgufMetadata(ByteSource* source, std::string_view name,
                                              const LoadLimits& limits);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_GGUF_METADATA_H_
