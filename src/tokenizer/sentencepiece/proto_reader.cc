// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/proto_reader.h"

#include <cstring>

namespace penstock::internal::spm {
namespace {

uint64_t LittleEndian(const char* data, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    value |= uint64_t{static_cast<unsigned char>(data[i])} << (8 * i);
  }
  return value;
}

}  // namespace

float ProtoField::AsFloat() const {
  const uint32_t bits = static_cast<uint32_t>(varint);
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

bool ProtoReader::ReadVarint(uint64_t* value) {
  uint64_t result = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (position_ == bytes_.size()) return Fail("the file ends inside a varint");
    const uint64_t byte = static_cast<unsigned char>(bytes_[position_++]);
    if (shift == 63 && byte > 1) return Fail("a varint is longer than 64 bits");
    result |= (byte & 0x7F) << shift;
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return Fail("a varint is longer than 64 bits");
}

bool ProtoReader::Next(ProtoField* field) {
  if (error_ != nullptr || position_ == bytes_.size()) return false;
  field->offset = offset();
  uint64_t tag = 0;
  if (!ReadVarint(&tag)) return false;
  if (tag >> 32 != 0 || tag >> 3 == 0) return Fail("not a field tag");
  field->number = static_cast<uint32_t>(tag >> 3);
  const size_t left = bytes_.size() - position_;
  uint64_t length = 0;
  switch (tag & 7) {
    case 0:
      field->type = WireType::kVarint;
      return ReadVarint(&field->varint);
    case 1:
    case 5:
      length = (tag & 7) == 1 ? 8 : 4;
      if (left < length) return Fail("the file ends inside a number");
      field->type = length == 8 ? WireType::kFixed64 : WireType::kFixed32;
      field->varint = LittleEndian(bytes_.data() + position_, length);
      position_ += length;
      return true;
    case 2:
      if (!ReadVarint(&length)) return false;
      if (length > bytes_.size() - position_) return Fail("a length runs past the end");
      field->type = WireType::kBytes;
      field->bytes = bytes_.substr(position_, length);
      position_ += length;
      return true;
    default:
      return Fail("a wire type that no model file uses (groups are not supported)");
  }
}

}  // namespace penstock::internal::spm
