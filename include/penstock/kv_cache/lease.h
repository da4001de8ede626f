// SPDX-License-Identifier: Apache-2.0
//
// Lease: one sequence's hold on the cache: the blocks it may read, the blocks it may write, until
// it dies.
//
//   // kResourceExhausted: nothing was taken
//   PENSTOCK_ASSIGN_OR_RETURN(Lease lease, cache.Acquire(request));
//   model.Prefill(ids, /*from=*/lease.matched_tokens(), lease.blocks());
//   // K/V of [0, size) are written: others may now reuse them
//   lease.Commit(ids.size());
//   while (TokenId next = Sample()) {
//     // names the token, grows the block table if need be
//     PENSTOCK_RETURN_IF_ERROR(lease.Append({next}));
//     model.Decode(next, lease.tokens() - 1, lease.blocks());
//     lease.Commit(lease.tokens());
//   // ~Lease: uncommitted blocks are freed, committed ones stay cached
//   }
//
// The block table: blocks(group)[i] holds tokens [i*B, (i+1)*B), B = block_tokens. Entries below
// matched_tokens() / B are shared with others: read only. The block that holds token
// matched_tokens() is the lease's own, its first matched_tokens() % B slots already copied in.
// Entries never change under the host except at the tail, by Append, Reserve and Truncate, and by
// ApplyRetention. In a window group (retention.h) an entry before matched_tokens() may be kNoBlock:
// neither in the sink nor in the window.
#ifndef PENSTOCK_KV_CACHE_LEASE_H_
#define PENSTOCK_KV_CACHE_LEASE_H_

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"
#include "penstock/kv_cache/block_store.h"

namespace penstock {

namespace internal {
class CacheShell;
struct LeaseRep;
}  // namespace internal

// Move-only. Owned by one sequence: thread-compatible (const calls may run concurrently, others
// need external synchronization); different leases of one cache may be used from different threads.
// May outlive the KVCache, but not the BlockStore. A moved-from or released lease answers 0, empty
// and kFailedPrecondition.
class PENSTOCK_EXPORT Lease {
 public:
  Lease();
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();  // Release()

  // Prefill starts here. At most the prompt's length - 1: the last token is always recomputed, for
  // its logits.
  size_t matched_tokens() const;
  size_t tokens() const;            // named so far: the prompt and what was appended
  size_t committed_tokens() const;  // K/V known to be written; starts at matched_tokens()
  size_t reserved_tokens() const;   // room in the block table

  // The block table of a group: ceil(reserved_tokens() / B) entries, in order. Valid until the next
  // non-const call.
  // REQUIRES: group < number of groups. O(1).
  absl::Span<const BlockId> blocks(GroupId group = GroupId{}) const;

  // Makes room for `total_tokens` tokens in all; may evict others, never itself. All or nothing
  // over all groups.
  // kResourceExhausted: the lease is unchanged and valid. Other codes: the store's.
  absl::Status Reserve(size_t total_tokens);

  // Names the tokens that follow; reserves what they need. Their K/V count as written only after
  // Commit.
  // kInvalidArgument: a negative id. kResourceExhausted as Reserve: nothing was named.
  absl::Status Append(absl::Span<const TokenId> ids);

  // The host asserts that K/V of tokens [0, end_tokens) are written (or will be, before anything
  // issued later reads them). Publishes every full block below end_tokens, in all groups at once; a
  // partial tail stays private. Where an equal block is public already, the lease keeps its own and
  // that one is not published (deduped_blocks()), except in groups that gave that block back.
  // kInvalidArgument: end_tokens above tokens() or below committed_tokens(). Committing twice is a
  // no-op. O(new blocks).
  absl::Status Commit(size_t end_tokens);

  // Another lease over [0, committed_tokens()): shares what is public, copies what is private (one
  // block when the lease publishes; in window groups what the next token attends to). What was
  // appended and not committed is not in the fork. For
  // beams and n > 1. kResourceExhausted, or the store's error from Copy: this lease is unchanged,
  // no fork.
  absl::StatusOr<Lease> Fork();

  // Forgets tokens [end_tokens, tokens()): a rejected draft, an edit. Blocks wholly beyond are
  // given back at once; if the cut falls into a public block, the lease gets its own copy of it.
  // What was published stays cached.
  // kInvalidArgument: end_tokens above tokens(). kFailedPrecondition: a group with a window no
  // longer has what the token at end_tokens attends to (ApplyRetention gave it back, or the match
  // never had it): release the lease and acquire again. On any error the lease is unchanged.
  absl::Status Truncate(size_t end_tokens);

  // Gives back, in groups with a window, the blocks that no later token of this sequence attends
  // to; their entries become kNoBlock. Public ones too, once no other lease's table names them,
  // except in the windows before places where the cached prefix ends, branches, or is leased or
  // pinned: there it still matches whole. A later prompt that leaves it elsewhere matches less
  // (KVRetentionStats::unmatched_tokens) and its Commit puts its own blocks where some are missing.
  // Returns how many blocks were freed. Call after Commit, as often as once a token: it does
  // nothing until a block leaves a window. O(blocks of this lease) the first time, then of the
  // window.
  size_t ApplyRetention();

  // Ends the lease. Uncommitted blocks are freed, committed full ones stay cached and become
  // evictable. Idempotent.
  void Release();

  bool released() const { return rep_ == nullptr; }
  size_t deduped_blocks() const;  // blocks computed although an equal one was published meanwhile

 private:
  friend class internal::CacheShell;
  explicit Lease(std::unique_ptr<internal::LeaseRep> rep);
  std::unique_ptr<internal::LeaseRep> rep_;
};

// Keeps a cached prefix from being evicted while it lives. Move-only, same rules as Lease.
class PENSTOCK_EXPORT PrefixPin {
 public:
  PrefixPin();
  PrefixPin(PrefixPin&&) noexcept;
  PrefixPin& operator=(PrefixPin&&) noexcept;
  ~PrefixPin();

  size_t tokens() const;  // how much of the prompt is pinned: whole blocks
  void Release();         // Idempotent.

 private:
  friend class internal::CacheShell;
  struct Rep;
  explicit PrefixPin(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_LEASE_H_
