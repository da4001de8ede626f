// SPDX-License-Identifier: Apache-2.0
//
// Reads protobuf wire format, one field at a time, over borrowed bytes. Nothing is copied and
// nothing recurses; a message inside a message is a new reader over its bytes.
//
//   ProtoReader reader(bytes, 0);
//   ProtoField field;
//   while (reader.Next(&field)) { if (field.number == 1 && field.type == WireType::kBytes) … }
//   if (!reader.ok()) return DataLoss(reader.error(), reader.offset());   // "a length runs past …"
//
// Format: https://protobuf.dev/programming-guides/encoding/ . Groups (wire types 3 and 4) are
// refused: no message read here has any. Thread-compatible: const calls may run concurrently,
// others need external synchronization.
#ifndef PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PROTO_READER_H_
#define PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PROTO_READER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::internal::spm {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct ProtoField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t varint = 0;     // kVarint, kFixed32, kFixed64
  std::string_view bytes;  // kBytes
  size_t offset = 0;       // of the field's tag, in the file

  float AsFloat() const;  // REQUIRES: type == kFixed32
  // int32 and enum fields are written sign-extended to 64 bits; the low 32 bits are the value.
  int32_t AsInt32() const { return static_cast<int32_t>(static_cast<uint32_t>(varint)); }
};

class ProtoReader {
 public:
  // `file_offset` is where `bytes` begins in the file, for messages.
  ProtoReader(std::string_view bytes, size_t file_offset)
      : bytes_(bytes), file_offset_(file_offset) {}

  // Reads the next field; false at the end or at the first error (then ok() is false). O(1) but for
  // varints.
  bool Next(ProtoField* field);

  bool ok() const { return error_ == nullptr; }
  const char* error() const { return error_; }                // null when ok
  size_t offset() const { return file_offset_ + position_; }  // of the next byte, in the file

 private:
  bool ReadVarint(uint64_t* value);
  bool Fail(const char* error) {
    error_ = error;
    return false;
  }

  std::string_view bytes_;
  size_t file_offset_;
  size_t position_ = 0;
  const char* error_ = nullptr;
};

}  // namespace penstock::internal::spm

#endif  // PENSTOCK_SRC_TOKENIZER_SENTENCEPIECE_PROTO_READER_H_
