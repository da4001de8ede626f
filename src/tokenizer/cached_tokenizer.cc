// SPDX-License-Identifier: Apache-2.0
#include "penstock/tokenizer/cached_tokenizer.h"

#include <list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutex.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/byte_map.h"

namespace penstock {
namespace {

using internal::Mutex;
using internal::MutexLock;

void AppendNumber(uint64_t n, std::string* key) {
  key->append(reinterpret_cast<const char*>(&n), sizeof(n));
}

void AppendSegments(absl::Span<const Segment> segments, std::string* key) {
  AppendNumber(segments.size(), key);
  for (const Segment& s : segments) {
    AppendNumber(s.text().size() << 1 | (s.trusted() ? 1 : 0), key);
    key->append(s.text());
  }
}

// Everything that the result depends on. Lengths stand before texts: no two inputs share a key.
std::string KeyOf(absl::Span<const Segment> first, const absl::Span<const Segment>* second,
                  const EncodeOptions& options) {
  std::string key;
  size_t bytes = 64;
  for (const Segment& s : first) bytes += s.text().size() + 8;
  key.reserve(bytes);
  const uint64_t flags = (options.add_special_tokens ? 1u : 0u) | (options.offsets ? 2u : 0u) |
                         (options.type_ids ? 4u : 0u) | (options.special_tokens_mask ? 8u : 0u) |
                         (options.safe_cuts ? 16u : 0u) | (options.truncation ? 32u : 0u) |
                         (second != nullptr ? 64u : 0u) |
                         static_cast<uint64_t>(options.added_tokens) << 8;
  AppendNumber(flags, &key);
  if (options.truncation.has_value()) {
    const TruncationOptions& t = *options.truncation;
    AppendNumber(t.max_tokens, &key);
    AppendNumber(t.stride, &key);
    AppendNumber(static_cast<uint64_t>(t.side) | static_cast<uint64_t>(t.strategy) << 8, &key);
  }
  AppendSegments(first, &key);
  if (second != nullptr) AppendSegments(*second, &key);
  return key;
}

size_t HeapBytes(const Encoding& e) {
  size_t bytes = e.ids.capacity() * sizeof(TokenId) + e.offsets.capacity() * sizeof(ByteRange) +
                 e.type_ids.capacity() * sizeof(int32_t) + e.special_tokens_mask.capacity() +
                 e.safe_cuts.capacity() * sizeof(SafeCut) +
                 e.overflowing.capacity() * sizeof(Encoding);
  for (const Encoding& o : e.overflowing) bytes += HeapBytes(o);
  return bytes;
}

struct KeyHash {
  size_t operator()(std::string_view key) const {
    return internal::HashBytes(key, internal::ProcessHashKey());
  }
};

// One lock, one LRU list, a share of the budget.
class Shard {
 public:
  struct Entry {
    std::string key;
    Encoding value;
    size_t bytes;
  };

  void SetCapacity(size_t bytes) { capacity_ = bytes; }

  bool Find(const std::string& key, Encoding* value) {
    MutexLock lock(mu_);
    const auto it = index_.find(key);
    if (it == index_.end()) {
      ++stats_.misses;
      return false;
    }
    ++stats_.hits;
    entries_.splice(entries_.begin(), entries_, it->second);
    *value = it->second->value;
    return true;
  }

  void Insert(std::string key, const Encoding& value) {
    Entry entry{std::move(key), value, 0};
    // List and index nodes cost about as much as two entries' headers.
    entry.bytes = 2 * sizeof(Entry) + entry.key.capacity() + HeapBytes(entry.value);
    std::list<Entry> dropped;  // freed outside the lock
    MutexLock lock(mu_);
    if (entry.bytes > capacity_ / 16) {
      ++stats_.oversize;
      return;
    }
    if (index_.count(entry.key) > 0) return;  // another thread was faster
    while (bytes_ + entry.bytes > capacity_) {
      const auto last = std::prev(entries_.end());
      index_.erase(last->key);
      bytes_ -= last->bytes;
      ++stats_.evictions;
      dropped.splice(dropped.begin(), entries_, last);
    }
    bytes_ += entry.bytes;
    entries_.push_front(std::move(entry));
    index_.emplace(entries_.front().key, entries_.begin());
  }

  void Clear() {
    std::list<Entry> dropped;
    MutexLock lock(mu_);
    index_.clear();
    dropped.swap(entries_);
    bytes_ = 0;
  }

  void AddTo(CachedTokenizerStats* total) {
    MutexLock lock(mu_);
    total->hits += stats_.hits;
    total->misses += stats_.misses;
    total->evictions += stats_.evictions;
    total->oversize += stats_.oversize;
    total->entries += entries_.size();
    total->bytes += bytes_;
  }

 private:
  Mutex mu_;
  size_t capacity_ = 0;                            // set once before use
  std::list<Entry> entries_ ABSL_GUARDED_BY(mu_);  // most recent first
  std::unordered_map<std::string_view, std::list<Entry>::iterator, KeyHash> index_
      ABSL_GUARDED_BY(mu_);  // keys are views of the entries
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  CachedTokenizerStats stats_ ABSL_GUARDED_BY(mu_);  // counters only
};

}  // namespace

struct CachedTokenizer::Rep {
  TokenizerPtr tokenizer;
  size_t capacity = 0;
  std::vector<Shard> shards;

  Shard& ShardOf(const std::string& key) {
    return shards[(KeyHash()(key) >> 40) & (shards.size() - 1)];
  }
};

absl::Status CachedTokenizerOptions::Validate() const {
  if (shards >= 1 && shards <= 4096) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("shards is ", shards, ", expected 1 to 4096"));
}

CachedTokenizer::CachedTokenizer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
CachedTokenizer::~CachedTokenizer() = default;

std::shared_ptr<const CachedTokenizer> NewCachedTokenizer(TokenizerPtr tokenizer,
                                                          const CachedTokenizerOptions& options) {
  PENSTOCK_CHECK(tokenizer != nullptr && options.Validate().ok());
  size_t shards = 1;
  while (shards < options.shards) shards *= 2;
  auto rep = std::make_unique<CachedTokenizer::Rep>();
  rep->tokenizer = std::move(tokenizer);
  rep->capacity = options.capacity_bytes;
  rep->shards = std::vector<Shard>(shards);
  for (Shard& shard : rep->shards) shard.SetCapacity(options.capacity_bytes / shards);
  return std::shared_ptr<const CachedTokenizer>(new CachedTokenizer(std::move(rep)));
}

const Vocabulary& CachedTokenizer::vocabulary() const { return rep_->tokenizer->vocabulary(); }
std::string_view CachedTokenizer::fingerprint() const { return rep_->tokenizer->fingerprint(); }
const internal::TokenizerEngine* CachedTokenizer::engine() const {
  return rep_->tokenizer->engine();
}

size_t CachedTokenizer::Count(std::string_view plain_text) const {
  return EncodeIds(plain_text).size();
}

CachedTokenizerStats CachedTokenizer::GetStats() const {
  CachedTokenizerStats stats;
  stats.capacity_bytes = rep_->capacity;
  for (Shard& shard : rep_->shards) shard.AddTo(&stats);
  return stats;
}

void CachedTokenizer::Clear() const {
  for (Shard& shard : rep_->shards) shard.Clear();
}

absl::Status CachedTokenizer::DoEncode(absl::Span<const Segment> first,
                                       const absl::Span<const Segment>* second,
                                       const EncodeOptions& options, Encoding* encoding) const {
  std::string key = KeyOf(first, second, options);
  Shard& shard = rep_->ShardOf(key);
  if (shard.Find(key, encoding)) return absl::OkStatus();
  EncodeOptions inner = options;
  inner.max_input_bytes.reset();  // has been checked
  if (second != nullptr) {
    PENSTOCK_ASSIGN_OR_RETURN(*encoding, rep_->tokenizer->EncodePair(first, *second, inner));
  } else {
    PENSTOCK_ASSIGN_OR_RETURN(*encoding, rep_->tokenizer->Encode(first, inner));
  }
  shard.Insert(std::move(key), *encoding);
  return absl::OkStatus();
}

std::string CachedTokenizer::DoDecode(absl::Span<const TokenId> ids,
                                      const DecodeOptions& options) const {
  return rep_->tokenizer->Decode(ids, options);
}

}  // namespace penstock
