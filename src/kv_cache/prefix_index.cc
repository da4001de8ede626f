// SPDX-License-Identifier: Apache-2.0
#include "kv_cache/prefix_index.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace penstock::internal {
namespace {

const std::vector<BlockExtra>& NoExtras() {
  static const auto* const kNone = new std::vector<BlockExtra>();
  return *kNone;
}

}  // namespace

PrefixIndex::PrefixIndex(size_t block_tokens, size_t groups, uint64_t seed, uint64_t hash_mask,
                         bool counted)
    : block_tokens_(block_tokens),
      groups_(groups),
      counted_(counted),
      hash_mask_(hash_mask),
      memory_(kChunk * BytesANode()) {
  hashers_.push_back(std::make_unique<const BlockHasher>(seed, hash_mask));
  hasher_.store(hashers_.back().get(), std::memory_order_release);
  table_.resize(64);
}

const std::vector<BlockExtra>& PrefixIndex::extras(BlockHandle h) const {
  if ((node(h).flags & IndexNode::kHasExtras) == 0) return NoExtras();
  return extras_.find(h)->second;
}

BlockHandle PrefixIndex::NewNode() {
  if (free_ != kNoBlockHandle) {
    const BlockHandle h = free_;
    free_ = node(h).next_sibling;
    return h;
  }
  if ((next_ & kMask) == 0) {
    char* chunk = static_cast<char*>(memory_.Next());
    const auto take = [&chunk](size_t bytes_a_node) {
      char* const part = chunk;
      chunk += kChunk * bytes_a_node;
      return part;
    };
    slots_.push_back(reinterpret_cast<BlockId*>(take(groups_ * sizeof(BlockId))));
    if (counted_) {
      char* const holds = take(groups_ * sizeof(std::atomic<uint32_t>));
      holds_.push_back(new (holds) std::atomic<uint32_t>[kChunk * groups_]());
    }
    nodes_.push_back(reinterpret_cast<IndexNode*>(take(sizeof(IndexNode))));
    tokens_.push_back(reinterpret_cast<TokenId*>(chunk));
  }
  PENSTOCK_CHECK(next_ != kNoBlockHandle);
  new (&node(next_)) IndexNode();
  return next_++;
}

void PrefixIndex::FreeNode(BlockHandle h) {
  IndexNode& n = node(h);
  n.flags = 0;
  n.next_sibling = free_;
  free_ = h;
}

BlockHandle PrefixIndex::AddRoot(uint64_t name, uint32_t scope) {
  const BlockHandle h = NewNode();
  IndexNode& n = node(h);
  n.name = name;
  n.parent = n.first_child = n.next_sibling = n.prev_sibling = kNoBlockHandle;
  n.depth = 0;
  n.device_children = 0;
  n.refs.store(0, std::memory_order_relaxed);
  n.scope = scope;
  n.tier = Tier::kDevice;
  n.flags = IndexNode::kLive | IndexNode::kRoot;
  return h;
}

void PrefixIndex::RemoveRoot(BlockHandle root) {
  PENSTOCK_DCHECK(node(root).first_child == kNoBlockHandle);
  FreeNode(root);
}

bool PrefixIndex::SameTokens(BlockHandle h, const TokenId* tokens) const {
  const TokenId* mine = tokens_[h >> kShift] + (h & kMask) * block_tokens_;
  if (block_tokens_ != 16) {
    return std::memcmp(mine, tokens, block_tokens_ * sizeof(TokenId)) == 0;
  }
  uint64_t a[8], b[8], differ = 0;  // the usual size, without a call or a branch
  std::memcpy(a, mine, sizeof(a));
  std::memcpy(b, tokens, sizeof(b));
  for (size_t i = 0; i < 8; ++i) differ |= a[i] ^ b[i];
  return differ == 0;
}

bool PrefixIndex::Same(const IndexNode& n, BlockHandle h, BlockHandle parent, uint64_t name,
                       const TokenId* tokens, const std::vector<BlockExtra>& extras) const {
  if (n.parent != parent || n.name != name || !SameTokens(h, tokens)) return false;
  if ((n.flags & IndexNode::kHasExtras) == 0) return extras.empty();
  return this->extras(h) == extras;
}

BlockHandle PrefixIndex::Find(BlockHandle parent, uint64_t name, const TokenId* tokens,
                              const std::vector<BlockExtra>& extras) const {
  const size_t mask = table_.size() - 1;
  for (size_t i = Home(name); table_[i].block != kNoBlockHandle; i = (i + 1) & mask) {
    if (table_[i].tag != Tag(name)) continue;
    const BlockHandle h = table_[i].block;
    if (Same(node(h), h, parent, name, tokens, extras)) return h;
    false_candidates_.fetch_add(1, std::memory_order_relaxed);
  }
  return kNoBlockHandle;
}

BlockHandle PrefixIndex::Insert(BlockHandle parent, uint64_t name, const TokenId* tokens,
                                std::vector<BlockExtra> extras, Tier tier) {
  if ((blocks_ + 1) * 4 > table_.size() * 3) Grow();
  const BlockHandle h = NewNode();
  IndexNode& n = node(h);
  IndexNode& p = node(parent);
  n.name = name;
  n.parent = parent;
  n.depth = (p.flags & IndexNode::kRoot) != 0 ? 0 : p.depth + 1;
  n.first_child = kNoBlockHandle;
  n.prev_sibling = kNoBlockHandle;
  n.next_sibling = p.first_child;
  if (p.first_child != kNoBlockHandle) node(p.first_child).prev_sibling = h;
  p.first_child = h;
  n.device_children = 0;
  n.refs.store(0, std::memory_order_relaxed);
  n.scope = p.scope;
  n.tier = tier;
  n.flags = IndexNode::kLive;
  if (tier == Tier::kDevice) {
    ++p.device_children;
    ++device_blocks_;
  }
  std::memcpy(tokens_[h >> kShift] + (h & kMask) * block_tokens_, tokens,
              block_tokens_ * sizeof(TokenId));
  std::fill_n(slots(h), groups_, kNoBlock);
  if (!extras.empty()) {
    n.flags |= IndexNode::kHasExtras;
    extras_[h] = std::move(extras);
  }
  TableInsert(Tag(name), h);
  ++blocks_;
  return h;
}

void PrefixIndex::Remove(BlockHandle block) {
  IndexNode& n = node(block);
  PENSTOCK_DCHECK(n.first_child == kNoBlockHandle);
  PENSTOCK_DCHECK(n.refs.load(std::memory_order_relaxed) == 0);
  IndexNode& p = node(n.parent);
  if (n.prev_sibling == kNoBlockHandle) {
    p.first_child = n.next_sibling;
  } else {
    node(n.prev_sibling).next_sibling = n.next_sibling;
  }
  if (n.next_sibling != kNoBlockHandle) node(n.next_sibling).prev_sibling = n.prev_sibling;
  if (n.tier == Tier::kDevice) {
    --p.device_children;
    --device_blocks_;
  }
  if ((n.flags & IndexNode::kHasExtras) != 0) extras_.erase(block);
  TableRemove(n.name, block);
  --blocks_;
  FreeNode(block);
}

void PrefixIndex::SetTier(BlockHandle block, Tier tier) {
  IndexNode& n = node(block);
  IndexNode& p = node(n.parent);
  if (n.tier == Tier::kDevice) {
    --p.device_children;
    --device_blocks_;
  }
  if (tier == Tier::kDevice) {
    ++p.device_children;
    ++device_blocks_;
  }
  n.tier = tier;
}

BlockHandle PrefixIndex::Guess(uint64_t name) const {
  const size_t mask = table_.size() - 1;
  size_t i = Home(name);
  for (int probe = 0; probe < 4; ++probe, i = (i + 1) & mask) {
    if (table_[i].tag == Tag(name)) return table_[i].block;
    if (table_[i].block == kNoBlockHandle) break;
  }
  return kNoBlockHandle;
}

uint8_t PrefixIndex::Match(BlockHandle root, const PromptBlocks& prompt, size_t limit,
                           std::vector<BlockHandle>* path) const {
  constexpr size_t kTableAhead = 24, kNodeAhead = 12;
  const size_t count = std::min(limit, prompt.names.size());
  const uint64_t* names = prompt.names.data();
  for (size_t i = 0; i < std::min(count, kTableAhead); ++i) {
    __builtin_prefetch(&table_[Home(names[i])]);
  }
  BlockHandle guesses[kNodeAhead];
  const auto prefetch_node = [&](size_t i) {
    const BlockHandle guess = guesses[i % kNodeAhead] = Guess(names[i]);
    if (guess == kNoBlockHandle) return;
    __builtin_prefetch(&node(guess));
    __builtin_prefetch(tokens(guess).data());
    __builtin_prefetch(slots(guess));
  };
  for (size_t i = 0; i < std::min(count, kNodeAhead); ++i) prefetch_node(i);
  const bool has_extras = !prompt.extra_keys.empty();
  BlockHandle at = root;
  uint8_t flags = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i + kTableAhead < count) __builtin_prefetch(&table_[Home(names[i + kTableAhead])]);
    const TokenId* tokens = prompt.tokens.data() + i * block_tokens_;
    const BlockHandle guess = guesses[i % kNodeAhead];
    if (i + kNodeAhead < count) prefetch_node(i + kNodeAhead);
    if (!has_extras && guess != kNoBlockHandle &&
        Same(node(guess), guess, at, names[i], tokens, NoExtras())) {
      at = guess;  // nearly always
    } else if (!has_extras) {
      at = Find(at, names[i], tokens, NoExtras());
    } else {
      at =
          Find(at, names[i], tokens, ExtrasOf(prompt.extra_keys, i * block_tokens_, block_tokens_));
    }
    if (at == kNoBlockHandle || (node(at).flags & IndexNode::kUnusable) != 0) break;
    flags = static_cast<uint8_t>(flags | node(at).flags);
    path->push_back(at);
  }
  return flags;
}

size_t PrefixIndex::MatchPartial(BlockHandle parent, const TokenId* tokens, size_t count,
                                 const std::vector<BlockExtra>& extras, size_t candidates,
                                 BlockHandle* best) const {
  size_t most = 0;
  count = std::min(count, block_tokens_);
  BlockHandle child = node(parent).first_child;
  for (size_t i = 0; i < candidates && child != kNoBlockHandle; child = node(child).next_sibling) {
    const IndexNode& n = node(child);
    if (n.tier != Tier::kDevice || (n.flags & IndexNode::kUnusable) != 0) continue;
    const BlockId* ids = slots(child);
    if (std::find(ids, ids + groups_, kNoBlock) != ids + groups_) continue;
    ++i;
    const TokenId* theirs = this->tokens(child).data();
    size_t agree =
        static_cast<size_t>(std::mismatch(tokens, tokens + count, theirs).first - tokens);
    agree = AgreeingTokens(extras, this->extras(child), agree);
    if (agree > most) {
      most = agree;
      *best = child;
      if (agree == count) break;
    }
  }
  return most;
}

void PrefixIndex::TableInsert(uint32_t tag, BlockHandle block) {
  const size_t mask = table_.size() - 1;
  size_t i = tag & mask;
  size_t run = 0;
  for (; table_[i].block != kNoBlockHandle; i = (i + 1) & mask) ++run;
  table_[i] = {tag, block};
  if (run > kAbsurdRun && !rekeyed_since_growth_) wants_rekey_ = true;
}

void PrefixIndex::TableRemove(uint64_t name, BlockHandle block) {
  const size_t mask = table_.size() - 1;
  size_t hole = Home(name);
  while (table_[hole].block != block) hole = (hole + 1) & mask;
  for (size_t i = (hole + 1) & mask; table_[i].block != kNoBlockHandle; i = (i + 1) & mask) {
    // An entry may move back into the hole unless its home lies cyclically within (hole, i].
    const size_t home = table_[i].tag & mask;
    if (((i - home) & mask) >= ((i - hole) & mask)) {
      table_[hole] = table_[i];
      hole = i;
    }
  }
  table_[hole] = Entry();
}

void PrefixIndex::Grow() {
  std::vector<Entry, LargeAllocator<Entry>> old = std::move(table_);
  table_.assign(old.size() * 2, Entry());
  rekeyed_since_growth_ = false;
  for (const Entry& e : old) {
    if (e.block != kNoBlockHandle) TableInsert(e.tag, e.block);
  }
}

void PrefixIndex::Rekey(uint64_t seed, const std::function<uint64_t(BlockHandle)>& root_name) {
  hashers_.push_back(std::make_unique<const BlockHasher>(seed, hash_mask_));
  hasher_.store(hashers_.back().get(), std::memory_order_release);
  wants_rekey_ = false;
  rekeyed_since_growth_ = true;
  std::fill(table_.begin(), table_.end(), Entry());
  std::vector<BlockHandle> stack;
  for (BlockHandle h = 0; h < next_; ++h) {
    if ((node(h).flags & IndexNode::kRoot) == 0) continue;
    node(h).name = root_name(h);
    stack.push_back(h);
  }
  while (!stack.empty()) {
    const BlockHandle parent = stack.back();
    stack.pop_back();
    for (BlockHandle h = node(parent).first_child; h != kNoBlockHandle; h = node(h).next_sibling) {
      node(h).name = NameBlock(*hasher_.load(std::memory_order_relaxed), node(parent).name,
                               tokens(h), extras(h));
      TableInsert(Tag(node(h).name), h);
      stack.push_back(h);
    }
  }
}

size_t PrefixIndex::metadata_bytes() const {
  return nodes_.size() * kChunk * BytesANode() + table_.size() * sizeof(Entry);
}

std::string PrefixIndex::Check() const {
  size_t found = 0, entries = 0, device = 0;
  for (const Entry& e : table_) entries += e.block != kNoBlockHandle ? 1 : 0;
  for (BlockHandle h = 0; h < next_; ++h) {
    if (!live(h)) continue;
    const IndexNode& n = node(h);
    uint32_t device_children = 0;
    for (BlockHandle c = n.first_child; c != kNoBlockHandle; c = node(c).next_sibling) {
      if (!live(c) || node(c).parent != h) return absl::StrCat("block ", c, ": not a child of ", h);
      if (node(c).scope != n.scope)
        return absl::StrCat("block ", c, ": in another scope than its parent");
      device_children += node(c).tier == Tier::kDevice ? 1 : 0;
    }
    if (device_children != n.device_children)
      return absl::StrCat("block ", h, ": miscounts its device children");
    if ((n.flags & IndexNode::kRoot) != 0) continue;
    ++found;
    device += n.tier == Tier::kDevice ? 1 : 0;
    if (!live(n.parent)) return absl::StrCat("block ", h, ": its parent is not cached");
    if (n.tier == Tier::kDevice && node(n.parent).tier != Tier::kDevice) {
      return absl::StrCat("block ", h, ": on the device below a parent that is not");
    }
    const bool root_parent = (node(n.parent).flags & IndexNode::kRoot) != 0;
    if (n.depth != (root_parent ? 0 : node(n.parent).depth + 1))
      return absl::StrCat("block ", h, ": wrong depth");
    if (n.name != NameBlock(*hasher_.load(std::memory_order_relaxed), node(n.parent).name,
                            tokens(h), extras(h))) {
      return absl::StrCat("block ", h, ": its name does not follow from its content");
    }
    if (Find(n.parent, n.name, tokens(h).data(), extras(h)) != h) {
      return absl::StrCat("block ", h, ": not found by its own content");
    }
  }
  if (device != device_blocks_) {
    return absl::StrCat(device, " blocks on the device, counted ", device_blocks_);
  }
  if (found != blocks_ || entries != blocks_) {
    return absl::StrCat(found, " blocks, ", entries, " table entries, counted ", blocks_);
  }
  return "";
}

}  // namespace penstock::internal
