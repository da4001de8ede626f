// SPDX-License-Identifier: Apache-2.0
//
// Compares a set or map over all scalar values with what a reference implementation answered:
//
//   EXPECT_EQ(DigestOfSet([](char32_t c) { return IsLetter(c); }), ReferenceFor("\\p{L}"));
//
// reference_digests.py describes the digest and made the expected ones.
#ifndef PENSTOCK_TESTS_TEXT_REFERENCE_DIGEST_H_
#define PENSTOCK_TESTS_TEXT_REFERENCE_DIGEST_H_

#include <cstdint>
#include <cstdio>
#include <ostream>
#include <string>
#include <string_view>

#include "tests/text/reference_digests.h"

namespace penstock::internal {

struct Digest {
  uint32_t count = 0;
  uint64_t hash = 0xCBF29CE484222325;

  void Add(const char* text) {
    for (; *text != 0; ++text) hash = (hash ^ static_cast<uint8_t>(*text)) * 0x100000001B3;
  }
  friend bool operator==(const Digest& a, const Digest& b) {
    return a.count == b.count && a.hash == b.hash;
  }
  friend std::ostream& operator<<(std::ostream& out, const Digest& d) {
    return out << d.count << " code points, digest " << std::hex << d.hash << std::dec;
  }
};

inline Digest ReferenceFor(std::string_view name) {
  for (const ReferenceDigest& row : kReferenceDigests) {
    if (name == row.name) return {row.count, row.digest};
  }
  ADD_FAILURE() << "no reference digest named " << name;
  return {};
}

template <class Predicate>
Digest DigestOfSet(Predicate contains) {
  Digest digest;
  char buffer[32];
  uint32_t first = 0, size = 0;
  for (uint32_t c = 0; c <= 0x110000; ++c) {
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    if (c < 0x110000 && !surrogate && contains(static_cast<char32_t>(c))) {
      if (size++ == 0) first = c;
      ++digest.count;
    } else if (size > 0) {
      std::snprintf(buffer, sizeof buffer, "%X-%X,", first, first + size - 1);
      digest.Add(buffer);
      size = 0;
    }
  }
  return digest;
}

// `map(c)` returns something to iterate over: the code points that c becomes.
template <class Map>
Digest DigestOfMap(Map map) {
  Digest digest;
  char buffer[32];
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    size_t size = 0;
    char32_t last = 0;
    for (char32_t x : map(static_cast<char32_t>(c))) {
      std::snprintf(buffer, sizeof buffer, size == 0 ? "%X" : " %X", static_cast<unsigned>(x));
      text += buffer;
      last = x;
      ++size;
    }
    if (size == 1 && last == c) continue;
    ++digest.count;
    std::snprintf(buffer, sizeof buffer, "%X:", c);
    digest.Add(buffer);
    digest.Add(text.c_str());
    digest.Add(";");
  }
  return digest;
}

}  // namespace penstock::internal

#endif  // PENSTOCK_TESTS_TEXT_REFERENCE_DIGEST_H_
