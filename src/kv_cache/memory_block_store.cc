// SPDX-License-Identifier: Apache-2.0
#include "penstock/kv_cache/memory_block_store.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutex.h"
#include "kv_cache/block_file.h"
#include "penstock/base/status_macros.h"

namespace penstock {
namespace {

constexpr size_t kTiers = 3;

// Id: tier (8 bits) | group (8 bits) | index (48 bits).
BlockId MakeId(Tier tier, GroupId group, uint64_t index) {
  return static_cast<BlockId>((static_cast<uint64_t>(tier) << 56) |
                              (static_cast<uint64_t>(group) << 48) | index);
}
size_t TierOf(BlockId id) { return static_cast<size_t>(static_cast<uint64_t>(id) >> 56); }
size_t GroupOf(BlockId id) { return static_cast<size_t>(static_cast<uint64_t>(id) >> 48) & 0xff; }
size_t IndexOf(BlockId id) {
  return static_cast<size_t>(static_cast<uint64_t>(id) & ((uint64_t{1} << 48) - 1));
}

}  // namespace

absl::Status MemoryBlockStoreOptions::Validate() const {
  const auto at_least_one = [](const char* field, size_t value) -> absl::Status {
    if (value >= 1) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(field, " is 0, expected at least 1"));
  };
  absl::Status status = at_least_one("layers", layers);
  status.Update(at_least_one("kv_floats_per_token", kv_floats_per_token));
  status.Update(at_least_one("block_tokens", block_tokens));
  status.Update(at_least_one("groups", groups));
  if (groups > 256)
    status.Update(
        absl::InvalidArgumentError(absl::StrCat("groups is ", groups, ", expected at most 256")));
  return status;
}

struct MemoryBlockStore::Rep {
  struct Pool {
    size_t capacity = 0;
    std::vector<std::unique_ptr<float[]>>
        blocks;  // sized once; an entry is filled at its block's first use
    std::priority_queue<size_t, std::vector<size_t>, std::greater<size_t>> free;
    size_t touched = 0;  // entries [0, touched) were handed out before
    std::vector<bool> allocated;
  };

  explicit Rep(const MemoryBlockStoreOptions& o) : options(o), pools(kTiers * o.groups) {
    const size_t capacities[kTiers] = {o.capacity_blocks, o.host_capacity_blocks,
                                       o.disk_capacity_blocks};
    for (size_t tier = 0; tier < kTiers; ++tier) {
      for (size_t g = 0; g < o.groups; ++g) {
        Pool& pool = pools[tier * o.groups + g];
        pool.capacity = capacities[tier];
        pool.blocks.resize(pool.capacity);
        pool.allocated.resize(pool.capacity, false);
      }
    }
  }

  size_t block_floats() const {
    return options.layers * 2 * options.block_tokens * options.kv_floats_per_token;
  }
  Pool& pool(Tier tier, GroupId group) {
    return pools[static_cast<size_t>(tier) * options.groups + static_cast<size_t>(group)];
  }
  float* Data(BlockId id) {
    return pools[TierOf(id) * options.groups + GroupOf(id)].blocks[IndexOf(id)].get();
  }

  // [layers][2][block_tokens][kv_floats_per_token]
  void CopyTokens(const float* src, size_t tokens, float* dst) const {
    const size_t row = options.kv_floats_per_token, plane = options.block_tokens * row;
    for (size_t i = 0; i < options.layers * 2; ++i) {
      std::copy_n(src + i * plane, tokens * row, dst + i * plane);
    }
  }

  bool InFile(BlockId id) const {
    return file != nullptr && TierOf(id) == static_cast<size_t>(Tier::kDisk);
  }
  size_t FileBlock(BlockId id) const {
    return GroupOf(id) * options.disk_capacity_blocks + IndexOf(id);
  }

  // To the file go whole blocks; from it come the tokens that are asked for.
  absl::Status CopyAnywhere(const BlockCopy& copy) {
    std::unique_ptr<float[]> read;
    const float* src = nullptr;
    if (InFile(copy.src)) {
      read.reset(new float[block_floats()]);
      PENSTOCK_RETURN_IF_ERROR(file->Read(FileBlock(copy.src), read.get()));
      src = read.get();
    } else {
      src = Data(copy.src);
    }
    if (InFile(copy.dst)) return file->Write(FileBlock(copy.dst), src);
    CopyTokens(src, copy.tokens, Data(copy.dst));
    return absl::OkStatus();
  }

  const MemoryBlockStoreOptions options;
  std::unique_ptr<internal::BlockFile> file;  // of the disk tier, if it has one
  internal::Mutex mu;
  std::vector<Pool>
      pools;  // pool.blocks entries are read without the lock: they do not change while allocated
};

absl::StatusOr<std::unique_ptr<MemoryBlockStore>> MemoryBlockStore::Create(
    const MemoryBlockStoreOptions& options) {
  if (absl::Status status = options.Validate(); !status.ok()) return status;
  auto rep = std::make_unique<Rep>(options);
  if (!options.disk_path.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(
        rep->file, internal::BlockFile::Create(options.disk_path, rep->block_floats(),
                                               options.groups * options.disk_capacity_blocks));
  }
  return std::unique_ptr<MemoryBlockStore>(new MemoryBlockStore(std::move(rep)));
}

MemoryBlockStore::MemoryBlockStore(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
MemoryBlockStore::~MemoryBlockStore() = default;

absl::Status MemoryBlockStore::Allocate(GroupId group, Tier tier, absl::Span<BlockId> out) {
  if (static_cast<size_t>(group) >= rep_->options.groups) {
    return absl::InvalidArgumentError(absl::StrCat("group ", static_cast<size_t>(group),
                                                   ", expected less than ", rep_->options.groups));
  }
  internal::MutexLock lock(rep_->mu);
  Rep::Pool& pool = rep_->pool(tier, group);
  if (pool.free.size() + (pool.capacity - pool.touched) < out.size()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "store: ", out.size(), " blocks wanted, ",
        pool.free.size() + (pool.capacity - pool.touched), " of ", pool.capacity, " free"));
  }
  for (BlockId& id : out) {
    size_t index;
    if (!pool.free.empty()) {
      index = pool.free.top();
      pool.free.pop();
    } else {
      index = pool.touched++;
      if (!rep_->InFile(MakeId(tier, group, index))) {
        pool.blocks[index].reset(new float[rep_->block_floats()]());
      }
    }
    pool.allocated[index] = true;
    id = MakeId(tier, group, index);
  }
  return absl::OkStatus();
}

void MemoryBlockStore::Free(GroupId group, Tier tier, absl::Span<const BlockId> blocks) {
  internal::MutexLock lock(rep_->mu);
  Rep::Pool& pool = rep_->pool(tier, group);
  for (BlockId id : blocks) {
    PENSTOCK_CHECK(TierOf(id) == static_cast<size_t>(tier) &&
                   GroupOf(id) == static_cast<size_t>(group));
    PENSTOCK_CHECK(IndexOf(id) < pool.capacity &&
                   pool.allocated[IndexOf(id)]);  // never freed twice
    pool.allocated[IndexOf(id)] = false;
    if (rep_->options.poison_freed && !rep_->InFile(id)) {
      std::fill_n(rep_->Data(id), rep_->block_floats(), std::numeric_limits<float>::quiet_NaN());
    }
    pool.free.push(IndexOf(id));
  }
}

absl::Status MemoryBlockStore::Copy(absl::Span<const BlockCopy> copies) {
  for (const BlockCopy& copy : copies) PENSTOCK_RETURN_IF_ERROR(rep_->CopyAnywhere(copy));
  return absl::OkStatus();
}

void MemoryBlockStore::Transfer(absl::Span<const BlockCopy> copies, Done done) {
  std::move(done)(Copy(copies));
}

size_t MemoryBlockStore::BytesPerBlock(GroupId, Tier) const {
  return rep_->block_floats() * sizeof(float);
}

absl::Span<float> MemoryBlockStore::Keys(BlockId block, size_t layer) {
  const size_t plane = rep_->options.block_tokens * rep_->options.kv_floats_per_token;
  return absl::Span<float>(rep_->Data(block) + layer * 2 * plane, plane);
}

absl::Span<float> MemoryBlockStore::Values(BlockId block, size_t layer) {
  const size_t plane = rep_->options.block_tokens * rep_->options.kv_floats_per_token;
  return absl::Span<float>(rep_->Data(block) + (layer * 2 + 1) * plane, plane);
}

size_t MemoryBlockStore::allocated_blocks(Tier tier) const {
  internal::MutexLock lock(rep_->mu);
  size_t count = 0;
  for (size_t g = 0; g < rep_->options.groups; ++g) {
    const Rep::Pool& pool = rep_->pool(tier, static_cast<GroupId>(g));
    count += pool.touched - pool.free.size();
  }
  return count;
}

const MemoryBlockStoreOptions& MemoryBlockStore::options() const { return rep_->options; }

SequenceView::SequenceView(MemoryBlockStore* store, absl::Span<const BlockId> blocks,
                           size_t seq_len)
    : store_(store), blocks_(blocks), seq_len_(seq_len) {}

size_t SequenceView::capacity() const { return blocks_.size() * store_->options().block_tokens; }

absl::Span<float> SequenceView::Row(bool value, size_t layer, size_t position) const {
  const size_t block_tokens = store_->options().block_tokens,
               row = store_->options().kv_floats_per_token;
  const BlockId block = blocks_[position / block_tokens];
  const absl::Span<float> plane = value ? store_->Values(block, layer) : store_->Keys(block, layer);
  return plane.subspan(position % block_tokens * row, row);
}

absl::Span<const float> SequenceView::keys(size_t layer, size_t position) const {
  return Row(false, layer, position);
}
absl::Span<const float> SequenceView::values(size_t layer, size_t position) const {
  return Row(true, layer, position);
}

absl::Status SequenceView::Append(absl::Span<const float> k, absl::Span<const float> v) {
  const size_t layers = store_->options().layers, row = store_->options().kv_floats_per_token;
  if (k.size() != layers * row || v.size() != layers * row) {
    return absl::InvalidArgumentError(absl::StrCat("append: ", k.size(), " keys and ", v.size(),
                                                   " values, expected ", layers * row, " of each"));
  }
  if (seq_len_ == capacity()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("append: the block table has room for ", seq_len_, " tokens"));
  }
  for (size_t layer = 0; layer < layers; ++layer) {
    const absl::Span<float> key = Row(false, layer, seq_len_), value = Row(true, layer, seq_len_);
    std::copy_n(k.begin() + layer * row, row, key.begin());
    std::copy_n(v.begin() + layer * row, row, value.begin());
  }
  ++seq_len_;
  return absl::OkStatus();
}

}  // namespace penstock
