// SPDX-License-Identifier: Apache-2.0
#include "chunker/scan.h"

#include <array>
#include <cstdint>
#include <iterator>

#include "chunker/char_class.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define PENSTOCK_SCAN_AVX2 1
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace penstock::internal {
namespace {

struct Pair {
  uint8_t lead;
  uint8_t second;
};

// First two bytes of the characters that matter, by block:
constexpr Pair kPairs[] = {
    {0xC2, 0x85},  // NEL
    {0xC2, 0xAB},  // «
    {0xC2, 0xBB},  // »
    {0xCD, 0xBE},  // Greek question mark
    {0xD6, 0x89},  // Armenian full stop
    {0xD8, 0x9F},  // Arabic question mark
    {0xDB, 0x94},  // Urdu full stop
    {0xDC, 0x80},  // Syriac
    {0xE0, 0xA5},  // danda, double danda
    {0xE0, 0xBC},  // Tibetan shad
    {0xE1, 0x81},  // Myanmar section
    {0xE1, 0x8D},  // Ethiopic
    {0xE1, 0x9F},  // Khmer
    {0xE1, 0xA0},  // Mongolian
    {0xE1, 0xAD},  // Balinese
    {0xE2, 0x80},  // quotation marks, ellipsis, bullets, line and paragraph separators
    {0xE2, 0x81},  // double question marks
    {0xE3, 0x80},  // ideographic full stop, corner and title brackets
    {0xEF, 0xB9},  // small forms
    {0xEF, 0xBC},  // full-width ! . ? ( )
    {0xEF, 0xBD},  // half-width ideographic full stop, corner brackets
};

// Those before the E2 pairs: their lead bytes are C2 ... E1.
constexpr size_t kRarePairs = 15;
static_assert(kPairs[kRarePairs].lead == 0xE2 && kPairs[kRarePairs - 1].lead == 0xE1);

constexpr bool IsAsciiEvent(uint8_t b) {
  return b == '.' || b == '!' || b == '?' || b == ':' || b == ';' || b == '"' || b == '\'' ||
         b == '(' || b == ')' || b == '[' || b == ']' || (b >= '{' && b <= '}') ||
         (b >= 0x0A && b <= 0x0D);
}

// 0: no event; 1: event by itself; 2: event with the right second byte.
constexpr std::array<uint8_t, 256> MakeLeadTable() {
  std::array<uint8_t, 256> table{};
  for (size_t b = 0; b < 128; ++b) {
    table[b] = IsAsciiEvent(static_cast<uint8_t>(b)) ? 1 : 0;
  }
  for (const Pair& pair : kPairs) table[pair.lead] = 2;
  return table;
}
constexpr std::array<uint8_t, 256> kLead = MakeLeadTable();

bool IsPair(uint8_t lead, uint8_t second) {
  for (const Pair& pair : kPairs) {
    if (pair.lead == lead && pair.second == second) return true;
  }
  return false;
}

}  // namespace

size_t FindEventPortable(std::string_view text, size_t from) {
  for (size_t i = from; i < text.size(); ++i) {
    const uint8_t kind = kLead[static_cast<uint8_t>(text[i])];
    if (kind == 0) continue;
    if (kind == 1 || i + 1 == text.size()) return i;
    if (IsPair(static_cast<uint8_t>(text[i]), static_cast<uint8_t>(text[i + 1]))) return i;
  }
  return text.size();
}

#if defined(__SSE2__)

namespace {

__m128i Equal(__m128i v, uint8_t byte) {
  return _mm_cmpeq_epi8(v, _mm_set1_epi8(static_cast<char>(byte)));
}

// lo <= v <= hi for bytes below 0x80 (signed compare is enough there).
__m128i InAsciiRange(__m128i v, char lo, char hi) {
  return _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8(static_cast<char>(lo - 1))),
                       _mm_cmplt_epi8(v, _mm_set1_epi8(static_cast<char>(hi + 1))));
}

__m128i AsciiEvents(__m128i v) {
  __m128i m = _mm_or_si128(Equal(v, '.'), Equal(v, '!'));
  m = _mm_or_si128(m, _mm_or_si128(Equal(v, '?'), Equal(v, '"')));
  m = _mm_or_si128(m, InAsciiRange(v, ':', ';'));
  m = _mm_or_si128(m, InAsciiRange(v, '\'', ')'));
  m = _mm_or_si128(m, InAsciiRange(v, 0x0A, 0x0D));
  m = _mm_or_si128(m, Equal(v, '|'));
  // [ ] and { } differ in one bit.
  const __m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));
  return _mm_or_si128(m, _mm_or_si128(Equal(folded, '{'), Equal(folded, '}')));
}

__m128i PairEvents(__m128i v, __m128i next, const Pair* begin, const Pair* end) {
  __m128i m = _mm_setzero_si128();
  for (const Pair* pair = begin; pair != end; ++pair) {
    m = _mm_or_si128(m, _mm_and_si128(Equal(v, pair->lead), Equal(next, pair->second)));
  }
  return m;
}

uint32_t EventMask16(const char* data) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data));
  __m128i m = AsciiEvents(v);
  if (_mm_movemask_epi8(v) != 0) {
    const __m128i next = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + 1));
    m = _mm_or_si128(m, PairEvents(v, next, kPairs + kRarePairs, std::end(kPairs)));
    // C2 ... E1, as signed bytes: the scripts whose marks have pairs of their own.
    const __m128i rare = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8(static_cast<char>(0xC1))),
                                       _mm_cmplt_epi8(v, _mm_set1_epi8(static_cast<char>(0xE2))));
    if (_mm_movemask_epi8(rare) != 0) {
      m = _mm_or_si128(m, PairEvents(v, next, kPairs, kPairs + kRarePairs));
    }
  }
  return static_cast<uint32_t>(_mm_movemask_epi8(m));
}

}  // namespace

size_t AsciiRun(std::string_view text, size_t i) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
  const __m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));
  const __m128i in = _mm_or_si128(InAsciiRange(folded, 'a', 'z'), InAsciiRange(v, '0', '9'));
  const auto out = ~static_cast<uint32_t>(_mm_movemask_epi8(in));  // bits from 16 on are set
  return static_cast<size_t>(__builtin_ctz(out));
}

size_t FindEvent(std::string_view text, size_t from) {
  size_t i = from;
  // 17 bytes: 16 positions and the byte after the last of them.
  while (i + 17 <= text.size()) {
    const uint32_t bits = EventMask16(text.data() + i);
    if (bits != 0) return i + static_cast<size_t>(__builtin_ctz(bits));
    i += 16;
  }
  return FindEventPortable(text, i);
}

namespace {

uint64_t EventMaskSse2(const char* data) {
  uint64_t mask = 0;
  for (size_t i = 0; i < 64; i += 16) mask |= uint64_t{EventMask16(data + i)} << i;
  return mask;
}

#if defined(PENSTOCK_SCAN_AVX2)

// Marks of ASCII by nibbles: each high nibble has a bit, and low[x] those of the high nibbles that
// make a mark with x.
struct NibbleTables {
  uint8_t low[16], high[16];
};
constexpr NibbleTables MakeNibbleTables() {
  NibbleTables t{};
  for (unsigned b = 0; b < 128; ++b) {
    if (!IsAsciiEvent(static_cast<uint8_t>(b))) continue;
    const uint8_t bit = static_cast<uint8_t>(1u << (b >> 4));
    t.low[b & 15] = static_cast<uint8_t>(t.low[b & 15] | bit);
    t.high[b >> 4] = bit;
  }
  return t;
}
constexpr NibbleTables kNibbles = MakeNibbleTables();

#define PENSTOCK_AVX2 __attribute__((target("avx2")))

PENSTOCK_AVX2 __m256i PairEventsAvx2(__m256i v, __m256i next, const Pair* begin, const Pair* end) {
  __m256i m = _mm256_setzero_si256();
  for (const Pair* pair = begin; pair != end; ++pair) {
    const __m256i lead = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(static_cast<char>(pair->lead)));
    const __m256i second =
        _mm256_cmpeq_epi8(next, _mm256_set1_epi8(static_cast<char>(pair->second)));
    m = _mm256_or_si256(m, _mm256_and_si256(lead, second));
  }
  return m;
}

PENSTOCK_AVX2 uint32_t EventMask32(const char* data, __m256i low_table, __m256i high_table) {
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
  const __m256i nibble = _mm256_set1_epi8(0x0F);
  // A byte from 80 on has its high bit set, and shuffles to 0.
  const __m256i low = _mm256_shuffle_epi8(low_table, v);
  const __m256i high =
      _mm256_shuffle_epi8(high_table, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
  const __m256i none = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
  uint32_t mask = ~static_cast<uint32_t>(_mm256_movemask_epi8(none));
  if (_mm256_movemask_epi8(v) == 0) return mask;
  const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 1));
  __m256i m = PairEventsAvx2(v, next, kPairs + kRarePairs, std::end(kPairs));
  const __m256i rare =
      _mm256_andnot_si256(_mm256_cmpgt_epi8(v, _mm256_set1_epi8(static_cast<char>(0xE1))),
                          _mm256_cmpgt_epi8(v, _mm256_set1_epi8(static_cast<char>(0xC1))));
  if (_mm256_movemask_epi8(rare) != 0) {
    m = _mm256_or_si256(m, PairEventsAvx2(v, next, kPairs, kPairs + kRarePairs));
  }
  return mask | static_cast<uint32_t>(_mm256_movemask_epi8(m));
}

PENSTOCK_AVX2 uint64_t EventMaskAvx2(const char* data) {
  const __m256i low =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kNibbles.low)));
  const __m256i high =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kNibbles.high)));
  return EventMask32(data, low, high) | uint64_t{EventMask32(data + 32, low, high)} << 32;
}

const bool have_avx2 = __builtin_cpu_supports("avx2");

#endif

}  // namespace

uint64_t EventScanner::EventMask(const char* data) {
#if defined(PENSTOCK_SCAN_AVX2)
  if (have_avx2) return EventMaskAvx2(data);
#endif
  return EventMaskSse2(data);
}

#else

size_t AsciiRun(std::string_view text, size_t i) {
  size_t size = 0;
  while (size < kAsciiRun && IsAsciiLetterOrDigit(text[i + size])) ++size;
  return size;
}

size_t FindEvent(std::string_view text, size_t from) { return FindEventPortable(text, from); }

uint64_t EventScanner::EventMask(const char* data) {
  uint64_t mask = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const std::string_view two(data + i, 2);
    mask |= uint64_t{FindEventPortable(two, 0) == 0} << i;
  }
  return mask;
}

#endif

}  // namespace penstock::internal
