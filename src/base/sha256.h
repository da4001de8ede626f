// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 (FIPS 180-4): identities that must never change, such as fingerprints and stable block
// ids.
//
//   Sha256 hash;
//   hash.Update("abc");
//   HexOf(hash.Finish())  // "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
//
// Thread-compatible: const calls may run concurrently, others need external synchronization.
#ifndef PENSTOCK_SRC_BASE_SHA256_H_
#define PENSTOCK_SRC_BASE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::internal {

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  void Update(std::string_view bytes);
  // The digest of all bytes so far. Ends the hash: no Update() after it.
  Digest Finish();

 private:
  void Block(const uint8_t* p);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint64_t bytes_ = 0;
  std::array<uint8_t, 64> buffer_{};
};

std::string HexOf(const Sha256::Digest& digest);

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BASE_SHA256_H_
