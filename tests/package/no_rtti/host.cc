// SPDX-License-Identifier: Apache-2.0
//
// Implements every interface that is open, without RTTI and exceptions, and lets the library call
// it.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/penstock.h"

namespace {

using namespace penstock;  // NOLINT: a host

class MyExecutor final : public Executor {
 public:
  void Schedule(Task task) override { std::move(task)(); }
};

class MyClock final : public Clock {
 public:
  MonoTime Now() const override { return MonoTime::FromNanoseconds(7); }
  bool WaitUntil(Bell& bell, MonoTime) override { return bell.TryTake(); }
};

// One token a byte.
class ByteTokenizer final : public Tokenizer {
 public:
  explicit ByteTokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::string_view fingerprint() const override { return "bytes"; }

 private:
  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>*,
                        const EncodeOptions&, Encoding* encoding) const override {
    for (const Segment& segment : first) {
      for (char byte : segment.text()) encoding->ids.push_back(static_cast<uint8_t>(byte));
    }
    return absl::OkStatus();
  }
  std::string DoDecode(absl::Span<const TokenId> ids, const DecodeOptions&) const override {
    std::string text;
    for (TokenId id : ids) text.append(vocabulary_.Token(id));
    return text;
  }

  Vocabulary vocabulary_;
};

class MyBlocks final : public BlockStore {
 public:
  absl::Status Allocate(GroupId, Tier, absl::Span<BlockId> out) override {
    for (BlockId& id : out) id = static_cast<BlockId>(next_++);
    return absl::OkStatus();
  }
  void Free(GroupId, Tier, absl::Span<const BlockId> blocks) override { freed_ += blocks.size(); }
  absl::Status Copy(absl::Span<const BlockCopy>) override { return absl::OkStatus(); }
  void Transfer(absl::Span<const BlockCopy>, Done done) override {
    std::move(done)(absl::OkStatus());
  }
  size_t BytesPerBlock(GroupId, Tier) const override { return 16; }
  bool balanced() const { return next_ == freed_; }

 private:
  uint64_t next_ = 0;
  uint64_t freed_ = 0;
};

bool Expect(bool condition, const char* what) {
  std::printf("%s: %s\n", what, condition ? "ok" : "FAILED");
  return condition;
}

bool Tokenizes() {
  std::vector<std::string> bytes;
  for (int i = 0; i < 256; ++i) bytes.emplace_back(1, static_cast<char>(i));
  absl::StatusOr<Vocabulary> vocabulary = Vocabulary::Create(std::move(bytes));
  if (!vocabulary.ok()) return false;
  const TokenizerPtr tokenizer = std::make_shared<ByteTokenizer>(*std::move(vocabulary));
  const std::vector<TokenId> ids = tokenizer->EncodeIds("abc");
  return ids == std::vector<TokenId>{97, 98, 99} && tokenizer->Decode(ids) == "abc" &&
         tokenizer->Count("abcd") == 4;
}

bool Caches() {
  MyBlocks blocks;
  {
    absl::StatusOr<KVCache> cache = KVCache::Create(&blocks);
    if (!cache.ok()) return false;
    const std::vector<TokenId> prompt(40, 5);
    KVRequest request;
    request.tokens = prompt;
    {
      absl::StatusOr<Lease> first = cache->Acquire(request);
      if (!first.ok() || !first->Commit(prompt.size()).ok()) return false;
    }
    const absl::StatusOr<Lease> second = cache->Acquire(request);
    if (!second.ok() || second->matched_tokens() < 32) return false;
  }
  return blocks.balanced();
}

}  // namespace

int main() {
  MyExecutor executor;
  bool ran = false;
  static_cast<Executor&>(executor).Schedule([&ran] { ran = true; });
  MyClock clock;
  Bell bell;
  bell.Ring();
  bool ok = Expect(ran, "a host's executor");
  ok = Expect(static_cast<Clock&>(clock).WaitUntil(bell, clock.Now()), "a host's clock") && ok;
  ok = Expect(Tokenizes(), "a host's tokenizer") && ok;
  ok = Expect(Caches(), "a host's block store") && ok;
  return ok ? 0 : 1;
}
