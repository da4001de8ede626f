// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: snapshot and restore of the index.
//
//   snapshot := "PSKV1\n" u32 block_tokens u32 groups u32 scopes scope* u32 blocks block* sha256
//   scope    := 4 × (u32 length, bytes)      model, adapter, tenant, approximation
//   block    := u32 scope, u32 parent (position in this list, ~0: none), block_tokens × i32,
//               u32 keys, keys × (i64 start, u64 length, 32 bytes), groups × u64 block id
//   sha256   := of all bytes before it
// Integers are little-endian. Parents come before children.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "kv_cache/shell.h"

namespace penstock::internal {
namespace {

constexpr std::string_view kSnapshotMagic = "PSKV1\n";
constexpr uint32_t kNoParent = UINT32_MAX;
constexpr size_t kRestoreBatch = 64;

void PutLittleEndian(uint64_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

// Reads within bounds; after the first overrun everything reads as 0 and ok() is false.
class SnapshotReader {
 public:
  explicit SnapshotReader(std::string_view bytes) : rest_(bytes) {}

  uint64_t Get(size_t bytes) {
    uint64_t value = 0;
    const std::string_view taken = Bytes(bytes);
    for (size_t i = 0; i < taken.size(); ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    }
    return value;
  }
  std::string_view Bytes(size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  bool ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

absl::Status SnapshotDamaged(std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("snapshot: ", absl::string_view(what.data(), what.size())));
}

}  // namespace

std::string CacheShell::Snapshot() const {
  std::string out(kSnapshotMagic);
  PutLittleEndian(block_tokens_, 4, &out);
  PutLittleEndian(groups_.size(), 4, &out);
  {
    ReaderLock lock(mu_);
    std::vector<uint32_t> scope_number(scopes_.size(), kNoParent);
    std::vector<std::pair<BlockHandle, uint32_t>> order;  // block, position of its parent
    uint32_t scopes = 0;
    std::string scope_bytes;
    for (uint32_t id = 0; id < scopes_.size(); ++id) {
      const ScopeState& s = scopes_[id];
      if (s.root == kNoBlockHandle || s.dropped) continue;
      scope_number[id] = scopes++;
      for (const std::string* f :
           {&s.scope.model, &s.scope.adapter, &s.scope.tenant, &s.scope.approximation}) {
        PutLittleEndian(f->size(), 4, &scope_bytes);
        scope_bytes += *f;
      }
      for (BlockHandle h = index_.node(s.root).first_child; h != kNoBlockHandle;
           h = index_.node(h).next_sibling) {
        order.emplace_back(h, kNoParent);
      }
    }
    for (size_t i = 0; i < order.size(); ++i) {
      for (BlockHandle h = index_.node(order[i].first).first_child; h != kNoBlockHandle;
           h = index_.node(h).next_sibling) {
        order.emplace_back(h, static_cast<uint32_t>(i));
      }
    }
    PutLittleEndian(scopes, 4, &out);
    out += scope_bytes;
    PutLittleEndian(order.size(), 4, &out);
    for (const auto& [h, parent] : order) {
      PutLittleEndian(scope_number[index_.node(h).scope], 4, &out);
      PutLittleEndian(parent, 4, &out);
      for (TokenId t : index_.tokens(h)) PutLittleEndian(static_cast<uint32_t>(t), 4, &out);
      const std::vector<BlockExtra>& extras = index_.extras(h);
      PutLittleEndian(extras.size(), 4, &out);
      for (const BlockExtra& e : extras) {
        PutLittleEndian(static_cast<uint64_t>(e.start), 8, &out);
        PutLittleEndian(e.len, 8, &out);
        out.append(reinterpret_cast<const char*>(e.content.data()), e.content.size());
      }
      for (size_t g = 0; g < groups_.size(); ++g) {
        PutLittleEndian(static_cast<uint64_t>(index_.slots(h)[g]), 8, &out);
      }
    }
  }
  Sha256 hash;
  hash.Update(out);
  const Sha256::Digest digest = hash.Finish();
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return out;
}

absl::Status CacheShell::ParseSnapshot(std::string_view bytes, std::vector<Scope>* scopes,
                                       std::vector<SavedBlock>* blocks) const {
  if (bytes.size() < kSnapshotMagic.size() + 32 ||
      bytes.substr(0, kSnapshotMagic.size()) != kSnapshotMagic) {
    return SnapshotDamaged("does not begin like one");
  }
  const std::string_view body = bytes.substr(0, bytes.size() - 32);
  Sha256 hash;
  hash.Update(body);
  const Sha256::Digest digest = hash.Finish();
  if (std::memcmp(digest.data(), bytes.data() + body.size(), 32) != 0) {
    return SnapshotDamaged("checksum differs: truncated or changed");
  }
  SnapshotReader in(body.substr(kSnapshotMagic.size()));
  const uint64_t block_tokens = in.Get(4), groups = in.Get(4);
  if (block_tokens != block_tokens_ || groups != groups_.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("snapshot: ", block_tokens, " tokens a block, ", groups, " groups; expected ",
                     block_tokens_, " and ", groups_.size()));
  }
  const uint64_t scope_count = in.Get(4);
  for (uint64_t i = 0; i < scope_count && in.ok(); ++i) {
    Scope scope;
    for (std::string* f : {&scope.model, &scope.adapter, &scope.tenant, &scope.approximation}) {
      const size_t length = in.Get(4);
      *f = std::string(in.Bytes(length));
    }
    scopes->push_back(std::move(scope));
  }
  const uint64_t block_count = in.Get(4);
  for (uint64_t i = 0; i < block_count && in.ok(); ++i) {
    SavedBlock b;
    b.scope = static_cast<uint32_t>(in.Get(4));
    b.parent = static_cast<uint32_t>(in.Get(4));
    for (size_t t = 0; t < block_tokens_ && in.ok(); ++t) {
      b.tokens.push_back(static_cast<TokenId>(in.Get(4)));
    }
    const uint64_t keys = in.Get(4);
    for (uint64_t k = 0; k < keys && in.ok(); ++k) {
      BlockExtra e;
      e.start = static_cast<int64_t>(in.Get(8));
      e.len = in.Get(8);
      const std::string_view content = in.Bytes(32);
      std::copy(content.begin(), content.end(), e.content.begin());
      b.extras.push_back(e);
    }
    for (size_t g = 0; g < groups_.size(); ++g) {
      b.slots.push_back(static_cast<BlockId>(in.Get(8)));
    }
    if (b.scope >= scopes->size() || (b.parent != kNoParent && b.parent >= i)) {
      return SnapshotDamaged("a block without its parent or scope");
    }
    blocks->push_back(std::move(b));
  }
  if (!in.ok() || !in.AtEnd()) return SnapshotDamaged("its parts do not fill it");
  return absl::OkStatus();
}

// Inserts one batch that the host has loaded. Every block that is found or inserted is held until
// the end of Restore.
void CacheShell::RestoreBatch(const std::vector<Scope>& scopes,
                              const std::vector<SavedBlock>& saved, absl::Span<const size_t> batch,
                              const BlockTable& table, std::vector<BlockHandle>* handles,
                              RestoreReport* report, Columns* dead) {
  WriterLock lock(mu_);
  const MonoTime now = clock_->Now();
  for (size_t i = 0; i < batch.size(); ++i) {
    const SavedBlock& b = saved[batch[i]];
    BlockHandle parent = kNoBlockHandle;
    if (b.parent != kNoParent) {
      parent = (*handles)[b.parent];
    } else {
      const Scope& scope = scopes[b.scope];
      const absl::StatusOr<uint32_t> id =
          FindOrAddScope(RootName(*index_.hasher(), scope), scope, dead);
      if (id.ok()) parent = scopes_[*id].root;
    }
    BlockHandle h = kNoBlockHandle;
    if (parent != kNoBlockHandle && !scopes_[index_.node(parent).scope].dropped) {
      const uint64_t name =
          NameBlock(*index_.hasher(), index_.node(parent).name, b.tokens, b.extras);
      h = index_.Find(parent, name, b.tokens.data(), b.extras);
      if (h != kNoBlockHandle) {
        ++report->present;
        Ref(h);
        (*handles)[batch[i]] = h;
        h = kNoBlockHandle;  // its own block is not needed
      } else {
        h = index_.Insert(parent, name, b.tokens.data(), b.extras, Tier::kDevice);
        Ref(h);
        (*handles)[batch[i]] = h;
        for (size_t g = 0; g < groups_.size(); ++g) index_.slots(h)[g] = table[g][i];
        policy_->OnInsert(
            h, (index_.node(parent).flags & IndexNode::kRoot) != 0 ? kNoBlockHandle : parent, name,
            0, now);
        ScopeState& scope = scopes_[index_.node(h).scope];
        for (KVScopeStats* s : {&stats_.total, &scope.stats}) {
          ++s->inserted_blocks;
          ++s->cached_blocks;
        }
        Emit(KVEvent::Kind::kStored, h);
        ++report->restored;
        continue;
      }
    } else {
      ++report->skipped;
    }
    for (size_t g = 0; g < groups_.size(); ++g) dead->by_group[g].push_back(table[g][i]);
  }
}

absl::StatusOr<RestoreReport> CacheShell::Restore(std::string_view bytes, RestoreFn load) {
  std::vector<Scope> scopes;
  std::vector<SavedBlock> saved;
  if (absl::Status status = ParseSnapshot(bytes, &scopes, &saved); !status.ok()) return status;
  RestoreReport report;
  std::vector<BlockHandle> handles(saved.size(), kNoBlockHandle);
  for (size_t next = 0; next < saved.size();) {
    // A batch holds no block together with its parent: the parent's handle must be known.
    std::vector<size_t> batch;
    const size_t begin = next;
    for (; next < saved.size() && batch.size() < kRestoreBatch; ++next) {
      const uint32_t parent = saved[next].parent;
      if (parent != kNoParent && parent >= begin) break;
      if (parent != kNoParent && handles[parent] == kNoBlockHandle) {
        ++report.skipped;
        continue;
      }
      batch.push_back(next);
    }
    if (batch.empty()) continue;
    if (options_.capacity_blocks.has_value()) {
      size_t used = 0;
      for (size_t g = 0; g < groups_.size(); ++g) used = std::max(used, used_[g].load());
      const size_t room = *options_.capacity_blocks > used ? *options_.capacity_blocks - used : 0;
      report.skipped += batch.size() - std::min(batch.size(), room);
      batch.resize(std::min(batch.size(), room));  // restoring evicts nothing
      if (batch.empty()) continue;
    }
    BlockTable table(groups_.size());
    if (absl::Status status = ReserveColumns(batch.size(), &table, 0); !status.ok()) {
      report.skipped += batch.size();
      continue;
    }
    std::vector<RestoredBlock> blocks;
    Columns dead(groups_.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      for (size_t g = 0; g < groups_.size(); ++g) {
        blocks.push_back({static_cast<GroupId>(g), saved[batch[i]].slots[g], table[g][i]});
      }
    }
    if (load(blocks).ok()) {
      RestoreBatch(scopes, saved, batch, table, &handles, &report, &dead);
    } else {
      report.failed += batch.size();
      for (size_t g = 0; g < groups_.size(); ++g) dead.by_group[g] = table[g];
    }
    FreeColumns(&dead, /*subtract=*/true);
  }
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    for (size_t i = handles.size(); i-- > 0;) {  // children first
      if (handles[i] == kNoBlockHandle) continue;
      Keep(handles[i], 0);
      Unkeep(handles[i], 0, 0);
      Reap(handles[i], &dead);
    }
    RekeyIfWanted();
  }
  FreeColumns(&dead, /*subtract=*/true);
  return report;
}

}  // namespace penstock::internal
