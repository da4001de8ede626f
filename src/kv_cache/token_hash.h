// SPDX-License-Identifier: Apache-2.0
//
// Names of blocks for the hash table: a keyed digest of a block's tokens, chained with the parent's
// name.
//
//   BlockHasher hasher(random_seed);
//   uint64_t name = hasher.Root(scope);
//   for (block : prompt) name = hasher.Chain(name, hasher.Digest(block.data(), block.size()));
//
// Digests do not depend on the parent, so the processor works on several at once; a chain step is
// one multiplication. All key material is random per process. Two prefixes with one name cost a
// comparison, never a wrong answer: whoever finds a name compares tokens. Multiply-and-fold as in
// wyhash, with secret keys on every word. Immutable; safe to share.
#ifndef PENSTOCK_SRC_KV_CACHE_TOKEN_HASH_H_
#define PENSTOCK_SRC_KV_CACHE_TOKEN_HASH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "penstock/base/token.h"

namespace penstock::internal {

class BlockHasher {
 public:
  // `mask` is ~0; tests clear bits of it to force collisions.
  explicit BlockHasher(uint64_t seed, uint64_t mask = ~uint64_t{0}) : mask_(mask) {
    for (uint64_t& k : key_) k = SplitMix(&seed) | 1;
  }

  uint64_t Digest(const TokenId* tokens, size_t count) const {
    uint64_t acc = key_[8] + count;
    for (; count >= 16; tokens += 16, count -= 16) acc = Fold(acc ^ Stripe(tokens), key_[9]);
    if (count > 0) {
      TokenId rest[16] = {};
      std::memcpy(rest, tokens, count * sizeof(TokenId));
      acc = Fold(acc ^ Stripe(rest), key_[10]);
    }
    return acc;
  }

  uint64_t Chain(uint64_t parent, uint64_t digest) const {
    return Fold(parent ^ key_[11], digest ^ key_[12]) & mask_;
  }

  uint64_t Bytes(uint64_t seed, std::string_view bytes) const {
    uint64_t acc = Fold(seed ^ key_[13], bytes.size() ^ key_[14]);
    while (!bytes.empty()) {
      uint64_t words[2] = {0, 0};
      const size_t n = bytes.size() < 16 ? bytes.size() : 16;
      std::memcpy(words, bytes.data(), n);
      acc = Fold(acc ^ words[0] ^ key_[0], words[1] ^ key_[1]) ^ Fold(words[0] ^ key_[2], acc);
      bytes.remove_prefix(n);
    }
    return acc & mask_;
  }

 private:
  static uint64_t SplitMix(uint64_t* state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  static uint64_t Fold(uint64_t a, uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  uint64_t Stripe(const TokenId* tokens) const {
    uint64_t w[8];
    std::memcpy(w, tokens, sizeof(w));
    return Fold(w[0] ^ key_[0], w[1] ^ key_[1]) + Fold(w[2] ^ key_[2], w[3] ^ key_[3]) +
           Fold(w[4] ^ key_[4], w[5] ^ key_[5]) + Fold(w[6] ^ key_[6], w[7] ^ key_[7]);
  }

  uint64_t key_[15];
  uint64_t mask_;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_KV_CACHE_TOKEN_HASH_H_
