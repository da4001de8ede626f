// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/gguf/metadata.h"

#include <sys/types.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {
namespace {

constexpr uint64_t kMaxPairs = 65536;
constexpr uint64_t kMaxStringBytes = uint64_t{16} << 20;
constexpr uint64_t kMaxKeyBytes = 65535;  // by the specification

enum Type : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBoolean = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// Bytes of a value of a fixed size; 0 for strings, arrays and types that do not exist.
size_t SizeOf(uint32_t type) {
  switch (type) {
    case kUint8:
    case kInt8:
    case kBoolean:
      return 1;
    case kUint16:
    case kInt16:
      return 2;
    case kUint32:
    case kInt32:
    case kFloat32:
      return 4;
    case kUint64:
    case kInt64:
    case kFloat64:
      return 8;
    default:
      return 0;
  }
}

bool IsFloat(uint32_t type) { return type == kFloat32 || type == kFloat64; }

class MetadataReader {
 public:
  MetadataReader(ByteSource* source, std::string_view name, const LoadLimits& limits)
      : source_(*source), name_(name), limits_(limits) {}

  absl::StatusOr<GgufMetadata> Read();

 private:
  absl::Status Error(absl::StatusCode code, const std::string& what) const {
    std::string where;
    if (!key_.empty()) {
      where = absl::StrCat("key ", index_, ", \"", absl::Utf8SafeCHexEscape(key_.substr(0, 64)),
                           "\", ");
    }
    return absl::Status(
        code, absl::StrCat(AbslView(name_), ": ", where, "at byte ", position_, ": ", what));
  }
  absl::Status Damaged(const std::string& what) const {
    return Error(absl::StatusCode::kDataLoss, what);
  }
  absl::Status TooMuch(const std::string& what, uint64_t count, uint64_t limit) const {
    return Error(absl::StatusCode::kResourceExhausted,
                 absl::StrCat(what, ": ", count, ", the limit is ", limit));
  }

  absl::Status ReadBytes(char* out, size_t bytes);
  absl::Status Skip(uint64_t bytes);
  absl::StatusOr<uint64_t> ReadUnsigned(size_t bytes);
  absl::Status ReadString(uint64_t max_bytes, bool keep, std::string* out);
  absl::Status ReadScalar(uint32_t type, GgufValue* value);
  absl::Status ReadArray(bool keep, GgufValue* value);
  absl::Status ReadPair(GgufMetadata* metadata);
  absl::Status CheckHeader(uint64_t* pairs);

  ByteSource& source_;
  std::string_view name_;
  const LoadLimits& limits_;
  uint64_t position_ = 0;
  uint64_t index_ = 0;
  std::string key_;
};

absl::Status MetadataReader::ReadBytes(char* out, size_t bytes) {
  if (position_ + bytes > limits_.max_file_bytes) {
    return TooMuch("bytes of metadata", position_ + bytes, limits_.max_file_bytes);
  }
  if (!source_.Read(out, bytes)) return Damaged("the file ends here");
  position_ += bytes;
  return absl::OkStatus();
}

absl::Status MetadataReader::Skip(uint64_t bytes) {
  char scratch[4096];
  while (bytes > 0) {
    const size_t step = static_cast<size_t>(std::min<uint64_t>(bytes, sizeof(scratch)));
    PENSTOCK_RETURN_IF_ERROR(ReadBytes(scratch, step));
    bytes -= step;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> MetadataReader::ReadUnsigned(size_t bytes) {
  char buffer[8];
  PENSTOCK_RETURN_IF_ERROR(ReadBytes(buffer, bytes));
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(buffer[i]);
  return value;
}

absl::Status MetadataReader::ReadString(uint64_t max_bytes, bool keep, std::string* out) {
  PENSTOCK_ASSIGN_OR_RETURN(const uint64_t length, ReadUnsigned(8));
  if (length > source_.size() - std::min(source_.size(), position_)) {
    return Damaged(absl::StrCat("a string of ", length, " bytes runs past the end of the file"));
  }
  if (length > max_bytes) return TooMuch("bytes of a string", length, max_bytes);
  if (!keep) return Skip(length);
  out->resize(length);
  return ReadBytes(out->data(), length);
}

absl::Status MetadataReader::ReadScalar(uint32_t type, GgufValue* value) {
  PENSTOCK_ASSIGN_OR_RETURN(const uint64_t bits, ReadUnsigned(SizeOf(type)));
  value->kind = GgufValue::Kind::kInteger;
  if (type == kFloat32) {
    const uint32_t low = static_cast<uint32_t>(bits);
    float number;
    std::memcpy(&number, &low, sizeof(number));
    value->kind = GgufValue::Kind::kFloat;
    value->number = number;
  } else if (type == kFloat64) {
    value->kind = GgufValue::Kind::kFloat;
    std::memcpy(&value->number, &bits, sizeof(bits));
  } else if (type == kBoolean) {
    if (bits > 1) return Damaged(absl::StrCat("a bool of value ", bits, ", expected 0 or 1"));
    value->kind = GgufValue::Kind::kBool;
    value->integer = static_cast<int64_t>(bits);
  } else if (type == kInt8 || type == kInt16 || type == kInt32) {
    const unsigned shift = 64 - 8 * static_cast<unsigned>(SizeOf(type));
    value->integer = static_cast<int64_t>(bits << shift) >> shift;
  } else {
    if (type == kUint64 && bits >> 63 != 0) {
      return Damaged(absl::StrCat("the number ", bits, " is larger than any that is expected"));
    }
    value->integer = static_cast<int64_t>(bits);
  }
  return absl::OkStatus();
}

absl::Status MetadataReader::ReadArray(bool keep, GgufValue* value) {
  PENSTOCK_ASSIGN_OR_RETURN(const uint64_t type, ReadUnsigned(4));
  PENSTOCK_ASSIGN_OR_RETURN(const uint64_t count, ReadUnsigned(8));
  const uint32_t element = static_cast<uint32_t>(type);
  if (element != kString && SizeOf(element) == 0) {
    return Damaged(absl::StrCat("an array of type ", type, ", expected numbers or strings"));
  }
  const uint64_t least = element == kString ? 8 : SizeOf(element);
  if (count > (source_.size() - std::min(source_.size(), position_)) / least) {
    return Damaged(absl::StrCat("an array of ", count, " elements runs past the end of the file"));
  }
  if (!keep && element != kString) return Skip(count * least);
  const bool bytes = element == kUint8 || element == kInt8;
  const uint64_t limit =
      bytes ? limits_.max_charsmap_bytes : std::max(limits_.max_vocabulary, limits_.max_merges);
  if (keep && count > limit) return TooMuch("elements of an array", count, limit);
  if (bytes) {
    value->kind = GgufValue::Kind::kBytes;
    value->string.resize(count);
    return ReadBytes(value->string.data(), count);
  }
  GgufValue scalar;
  value->kind = element == kString ? GgufValue::Kind::kStrings
                : IsFloat(element) ? GgufValue::Kind::kFloats
                                   : GgufValue::Kind::kIntegers;
  for (uint64_t i = 0; i < count; ++i) {
    if (element == kString) {
      std::string text;
      PENSTOCK_RETURN_IF_ERROR(ReadString(limits_.max_token_bytes * 2 + 1, keep, &text));
      if (keep) value->strings.push_back(std::move(text));
      continue;
    }
    PENSTOCK_RETURN_IF_ERROR(ReadScalar(element, &scalar));
    if (IsFloat(element)) {
      value->floats.push_back(static_cast<float>(scalar.number));
    } else {
      value->integers.push_back(scalar.integer);
    }
  }
  return absl::OkStatus();
}

absl::Status MetadataReader::ReadPair(GgufMetadata* metadata) {
  key_.clear();
  std::string key;
  PENSTOCK_RETURN_IF_ERROR(ReadString(kMaxKeyBytes, true, &key));
  key_ = std::move(key);
  if (key_.empty()) return Damaged(absl::StrCat("key ", index_, " is empty"));
  PENSTOCK_ASSIGN_OR_RETURN(const uint64_t type, ReadUnsigned(4));
  const bool keep = key_.rfind("tokenizer.", 0) == 0 || key_.rfind("general.", 0) == 0;
  GgufValue value;
  if (type == kString) {
    value.kind = GgufValue::Kind::kString;
    PENSTOCK_RETURN_IF_ERROR(ReadString(kMaxStringBytes, keep, &value.string));
  } else if (type == kArray) {
    PENSTOCK_RETURN_IF_ERROR(ReadArray(keep, &value));
  } else if (type > kFloat64) {
    return Damaged(absl::StrCat("a value of type ", type, ", expected 0 to 12"));
  } else {
    PENSTOCK_RETURN_IF_ERROR(ReadScalar(static_cast<uint32_t>(type), &value));
  }
  if (keep && !metadata->values.emplace(key_, std::move(value)).second) {
    return Damaged("the key is there twice");
  }
  return absl::OkStatus();
}

absl::Status MetadataReader::CheckHeader(uint64_t* pairs) {
  char magic[4];
  PENSTOCK_RETURN_IF_ERROR(ReadBytes(magic, sizeof(magic)));
  if (std::memcmp(magic, "GGUF", 4) != 0) return Damaged("does not begin with \"GGUF\"");
  PENSTOCK_ASSIGN_OR_RETURN(const uint64_t version, ReadUnsigned(4));
  if (version == 0x02000000 || version == 0x03000000) {
    return Error(absl::StatusCode::kUnimplemented, "a big-endian file, expected little endian");
  }
  if (version != 2 && version != 3) {
    return Error(absl::StatusCode::kUnimplemented,
                 absl::StrCat("GGUF version ", version, ", expected 2 or 3"));
  }
  PENSTOCK_RETURN_IF_ERROR(Skip(8));  // the number of tensors
  PENSTOCK_ASSIGN_OR_RETURN(*pairs, ReadUnsigned(8));
  if (*pairs > kMaxPairs) return TooMuch("key-value pairs", *pairs, kMaxPairs);
  return absl::OkStatus();
}

absl::StatusOr<GgufMetadata> MetadataReader::Read() {
  uint64_t pairs = 0;
  PENSTOCK_RETURN_IF_ERROR(CheckHeader(&pairs));
  GgufMetadata metadata;
  for (; index_ < pairs; ++index_) PENSTOCK_RETURN_IF_ERROR(ReadPair(&metadata));
  return metadata;
}

}  // namespace

bool MemorySource::Read(char* out, size_t bytes) {
  if (bytes > bytes_.size() - position_) return false;
  std::memcpy(out, bytes_.data() + position_, bytes);
  position_ += bytes;
  return true;
}

FileSource::FileSource(std::FILE* file) : file_(file) {
  if (fseeko(file_, 0, SEEK_END) != 0) return;
  const off_t end = ftello(file_);
  if (end > 0) size_ = static_cast<uint64_t>(end);
  if (fseeko(file_, 0, SEEK_SET) != 0) size_ = 0;
}

bool FileSource::Read(char* out, size_t bytes) { return std::fread(out, 1, bytes, file_) == bytes; }

const GgufValue* GgufMetadata::Find(const std::string& key, GgufValue::Kind kind) const {
  const auto found = values.find(key);
  return found != values.end() && found->second.kind == kind ? &found->second : nullptr;
}
const std::string* GgufMetadata::String(const std::string& key) const {
  const GgufValue* value = Find(key, GgufValue::Kind::kString);
  return value == nullptr ? nullptr : &value->string;
}
const std::string* GgufMetadata::Bytes(const std::string& key) const {
  const GgufValue* value = Find(key, GgufValue::Kind::kBytes);
  return value == nullptr ? nullptr : &value->string;
}
const std::vector<std::string>* GgufMetadata::Strings(const std::string& key) const {
  const GgufValue* value = Find(key, GgufValue::Kind::kStrings);
  return value == nullptr ? nullptr : &value->strings;
}
const std::vector<float>* GgufMetadata::Floats(const std::string& key) const {
  const GgufValue* value = Find(key, GgufValue::Kind::kFloats);
  return value == nullptr ? nullptr : &value->floats;
}
const std::vector<int64_t>* GgufMetadata::Integers(const std::string& key) const {
  const GgufValue* value = Find(key, GgufValue::Kind::kIntegers);
  return value == nullptr ? nullptr : &value->integers;
}
std::optional<int64_t> GgufMetadata::Integer(const std::string& key) const {
  const GgufValue* value = Find(key, GgufValue::Kind::kInteger);
  if (value == nullptr) return std::nullopt;
  return value->integer;
}
std::optional<bool> GgufMetadata::Bool(const std::string& key) const {
  const GgufValue* value = Find(key, GgufValue::Kind::kBool);
  if (value == nullptr) return std::nullopt;
  return value->integer != 0;
}

absl::StatusOr<GgufMetadata> ReadGgufMetadata(ByteSource* source, std::string_view name,
                                              const LoadLimits& limits) {
  return MetadataReader(source, name, limits).Read();
}

}  // namespace penstock::internal
