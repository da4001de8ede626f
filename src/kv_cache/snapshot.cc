// SPDX-License-Identifier: Apache-2.0
//
// CacheShell: snapshot and restore of the index.
//
//   snapshot := "PSKV2\n" u32 block_tokens u32 groups u32 scopes scope* u32 blocks block* sha256
//   scope    := 4 × (u32 length, bytes)      model, adapter, tenant, approximation
//   block    := u32 scope, u32 parent (position in this list, ~0: none), u8 tier,
//               block_tokens × i32, u32 keys, keys × (i64 start, u64 length, 32 bytes),
//               groups × u64 block id
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

constexpr std::string_view kSnapshotMagic = "PSKV2\n";
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
    const auto unusable = [&](const auto& entry) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return (index_.node(entry.first).flags & IndexNode::kUnusable) != 0;
    };
    order.erase(std::remove_if(order.begin(), order.end(), unusable), order.end());
    for (size_t i = 0; i < order.size(); ++i) {
      for (BlockHandle h = index_.node(order[i].first).first_child; h != kNoBlockHandle;
           h = index_.node(h).next_sibling) {
        order.emplace_back(h, static_cast<uint32_t>(i));
        if (unusable(order.back())) order.pop_back();  // on its way between tiers
      }
    }
    PutLittleEndian(scopes, 4, &out);
    out += scope_bytes;
    PutLittleEndian(order.size(), 4, &out);
    for (const auto& [h, parent] : order) {
      PutLittleEndian(scope_number[index_.node(h).scope], 4, &out);
      PutLittleEndian(parent, 4, &out);
      PutLittleEndian(static_cast<uint64_t>(index_.node(h).tier), 1, &out);
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
    const uint64_t tier = in.Get(1);
    if (tier > static_cast<uint64_t>(Tier::kDisk)) return SnapshotDamaged("a block in no tier");
    b.tier = static_cast<Tier>(tier);
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
      if (b.slots[g] == kNoBlock && groups_[g].kind == Retention::Kind::kFull) {
        return SnapshotDamaged("a block without a group that keeps everything");
      }
    }
    if (b.scope >= scopes->size() || (b.parent != kNoParent && b.parent >= i)) {
      return SnapshotDamaged("a block without its parent or scope");
    }
    blocks->push_back(std::move(b));
  }
  if (!in.ok() || !in.AtEnd()) return SnapshotDamaged("its parts do not fill it");
  return absl::OkStatus();
}

// Columns of a tier that are free.
size_t CacheShell::RestoreRoom(Tier tier) const {
  if (tier != Tier::kDevice) {
    if (!options_.second_tier.has_value()) return 0;
    const size_t capacity = options_.second_tier->capacity_blocks;
    return capacity - std::min(capacity, lower_used_.load());
  }
  if (!options_.capacity_blocks.has_value()) return SIZE_MAX;
  size_t used = 0;
  for (size_t g = 0; g < groups_.size(); ++g) used = std::max(used, used_[g].load());
  return *options_.capacity_blocks - std::min(*options_.capacity_blocks, used);
}

// Books and allocates columns without evicting anything; all or nothing.
absl::Status CacheShell::RestoreAllocate(Tier tier, size_t columns, BlockTable* table) {
  const bool device = tier == Tier::kDevice;
  {
    WriterLock lock(mu_);
    if (RestoreRoom(tier) < columns) return absl::ResourceExhaustedError("no room");
    device ? UseMore(columns) : static_cast<void>(lower_used_.fetch_add(columns));
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::vector<BlockId>& ids = (*table)[g];
    ids.assign(columns, kNoBlock);
    absl::Status status = store_->Allocate(static_cast<GroupId>(g), tier, absl::MakeSpan(ids));
    if (status.ok()) continue;
    store_errors_.fetch_add(1, std::memory_order_relaxed);
    while (g-- > 0) store_->Free(static_cast<GroupId>(g), tier, (*table)[g]);
    device ? UseLess(columns) : static_cast<void>(lower_used_.fetch_sub(columns));
    return status;
  }
  return absl::OkStatus();
}

// Inserts one batch that the host has loaded into blocks of `tier`. Every block that is found or
// inserted is held until the end of Restore.
void CacheShell::RestoreBatch(const std::vector<Scope>& scopes,
                              const std::vector<SavedBlock>& saved, absl::Span<const size_t> batch,
                              Tier tier, const BlockTable& table, std::vector<BlockHandle>* handles,
                              RestoreReport* report, Columns* dead) {
  WriterLock lock(mu_);
  const bool device = tier == Tier::kDevice;
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
    bool inserted = false;
    if (RestorableBelow(parent, tier)) {
      inserted = RestoreBlock(b, parent, tier, &(*handles)[batch[i]], report);
    } else {
      ++report->skipped;
    }
    if (!inserted && !device) ++dead->lower_columns;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (inserted && b.slots[g] != kNoBlock) {
        index_.slots((*handles)[batch[i]])[g] = table[g][i];
      } else {
        (device ? dead->by_group : dead->lower)[g].push_back(table[g][i]);
      }
    }
  }
}

// Nothing stands on the device below a block that does not, and nothing below one on its way.
bool CacheShell::RestorableBelow(BlockHandle parent, Tier tier) const {
  if (parent == kNoBlockHandle || scopes_[index_.node(parent).scope].dropped) return false;
  const IndexNode& p = index_.node(parent);
  return (p.flags & IndexNode::kUnusable) == 0 &&
         (tier != Tier::kDevice || p.tier == Tier::kDevice);
}

// True: a new node, whose slots the caller fills. False: it is there already, or cannot be.
bool CacheShell::RestoreBlock(const SavedBlock& b, BlockHandle parent, Tier tier,
                              BlockHandle* handle, RestoreReport* report) {
  const uint64_t name = NameBlock(*index_.hasher(), index_.node(parent).name, b.tokens, b.extras);
  BlockHandle h = index_.Find(parent, name, b.tokens.data(), b.extras);
  if (h != kNoBlockHandle) {
    if ((index_.node(h).flags & IndexNode::kUnusable) != 0) {
      ++report->skipped;
      return false;
    }
    ++report->present;
    Ref(h);
    *handle = h;
    return false;
  }
  h = index_.Insert(parent, name, b.tokens.data(), b.extras, tier);
  Ref(h);
  *handle = h;
  const BlockHandle above =
      (index_.node(parent).flags & IndexNode::kRoot) != 0 ? kNoBlockHandle : parent;
  (tier == Tier::kDevice ? policy_ : lower_policy_)->OnInsert(h, above, name, 0, clock_->Now());
  for (KVScopeStats* s : {&stats_.total, &scopes_[index_.node(h).scope].stats}) {
    ++s->inserted_blocks;
    ++s->cached_blocks;
  }
  Emit(KVEvent::Kind::kStored, h, tier);
  ++report->restored;
  return true;
}

// The next blocks that may be restored together: into one tier, none of them below another, all
// below something that was restored or found. Advances `next`.
std::vector<size_t> CacheShell::NextRestoreBatch(const std::vector<SavedBlock>& saved,
                                                 const std::vector<BlockHandle>& handles,
                                                 bool device_full, size_t* next, Tier* tier,
                                                 RestoreReport* report) const {
  ReaderLock lock(mu_);
  std::vector<size_t> batch;
  const size_t begin = *next;
  const size_t device = device_full ? 0 : RestoreRoom(Tier::kDevice);
  const Tier lower = options_.second_tier.has_value() ? options_.second_tier->tier : Tier::kHost;
  for (; *next < saved.size(); ++*next) {
    const uint32_t parent = saved[*next].parent;
    if (parent != kNoParent && parent >= begin) break;  // its handle must be known
    if (parent != kNoParent && handles[parent] == kNoBlockHandle) {
      ++report->skipped;
      continue;
    }
    const bool below_lower =
        parent != kNoParent && index_.node(handles[parent]).tier != Tier::kDevice;
    const Tier wanted = device > 0 && !below_lower ? Tier::kDevice : lower;
    if (batch.empty()) {
      if (RestoreRoom(wanted) == 0) {  // restoring evicts nothing
        ++report->skipped;
        continue;
      }
      *tier = wanted;
    }
    if (wanted != *tier || batch.size() == std::min(kRestoreBatch, RestoreRoom(*tier))) break;
    batch.push_back(*next);
  }
  return batch;
}

absl::StatusOr<RestoreReport> CacheShell::Restore(std::string_view bytes, RestoreFn load) {
  std::vector<Scope> scopes;
  std::vector<SavedBlock> saved;
  if (absl::Status status = ParseSnapshot(bytes, &scopes, &saved); !status.ok()) return status;
  RestoreReport report;
  std::vector<BlockHandle> handles(saved.size(), kNoBlockHandle);
  bool device_full = false;
  for (size_t next = 0; next < saved.size();) {
    Tier tier = Tier::kDevice;
    const size_t begin = next;
    const std::vector<size_t> batch =
        NextRestoreBatch(saved, handles, device_full, &next, &tier, &report);
    if (batch.empty()) continue;
    BlockTable table(groups_.size());
    if (!RestoreAllocate(tier, batch.size(), &table).ok()) {
      if (tier == Tier::kDevice && options_.second_tier.has_value() && !device_full) {
        device_full = true;  // again, into the second tier
        report.skipped -= next - begin - batch.size();
        next = begin;
      } else {
        report.skipped += batch.size();
      }
      continue;
    }
    std::vector<RestoredBlock> blocks;
    Columns dead(groups_.size());
    for (size_t i = 0; i < batch.size(); ++i) {
      for (size_t g = 0; g < groups_.size(); ++g) {
        const BlockId id = saved[batch[i]].slots[g];
        if (id == kNoBlock) continue;  // it had none in this group
        blocks.push_back({static_cast<GroupId>(g), id, table[g][i], saved[batch[i]].tier, tier});
      }
    }
    if (load(blocks).ok()) {
      RestoreBatch(scopes, saved, batch, tier, table, &handles, &report, &dead);
    } else {
      report.failed += batch.size();
      (tier == Tier::kDevice ? dead.by_group : dead.lower) = table;
      if (tier != Tier::kDevice) dead.lower_columns += batch.size();
    }
    FreeColumns(&dead, /*subtract=*/true);
  }
  Columns dead(groups_.size());
  {
    WriterLock lock(mu_);
    for (size_t i = handles.size(); i-- > 0;) {  // children first
      if (handles[i] != kNoBlockHandle) Unref(handles[i], &dead);
    }
    RekeyIfWanted();
  }
  FreeColumns(&dead, /*subtract=*/true);
  return report;
}

}  // namespace penstock::internal
