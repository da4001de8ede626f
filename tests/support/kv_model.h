// SPDX-License-Identifier: Apache-2.0
//
// The prefix cache as a map from whole prefixes to timestamps: slow, obviously right. No hashes, no
// handles, no lists.
//
//   KVModel model(/*block_tokens=*/4, /*capacity=*/16);
//   // nullopt: no room
//   std::optional<KVModelLease> lease = model.Acquire(scope, tokens, extras, reserve);
//   model.Commit(&*lease, tokens.size());
//
// A node's key spells the scope's generation, every block's tokens and every block's extra keys.
// Least recently used leaf first: each use stamps all nodes of its path; the victim is the oldest
// node without children that is on no held path. With a second tier the victim moves there (victims
// of one call arrive together and do not displace each other); there the leaf that came first goes.
//
// Groups with windows: a node says in which groups it has a block, a lease's table what each entry
// is. A match is tried from the longest length down, every block it needs looked at.
#ifndef PENSTOCK_TESTS_SUPPORT_KV_MODEL_H_
#define PENSTOCK_TESTS_SUPPORT_KV_MODEL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "penstock/kv_cache/request.h"
#include "penstock/kv_cache/retention.h"

namespace penstock {

struct KVModelLease {
  std::string generation;  // of the scope
  std::vector<TokenId> tokens;
  std::vector<ExtraKey> extras;
  size_t matched = 0, committed = 0;
  size_t partial = 0;        // of matched, copied
  size_t lower = 0;          // blocks of the match that are loaded
  size_t public_blocks = 0;  // depth of the path it holds
  enum Entry : uint8_t { kNone, kOwn, kPublic };
  std::vector<std::vector<Entry>> table;  // [group][position]
  size_t low = 0;                         // what ApplyRetention looked at ends here
  bool swept = false;                     // it was called
  bool publish = true;
  size_t deduped = 0;

  size_t reserved() const { return table[0].size(); }
};

class KVModel {
 public:
  KVModel(size_t block_tokens, size_t capacity, size_t lower_capacity = 0,
          std::vector<Retention> groups = std::vector<Retention>(1))
      : b_(block_tokens),
        capacity_(capacity),
        lower_capacity_(lower_capacity),
        groups_(std::move(groups)),
        used_(groups_.size(), 0) {
    for (const Retention& r : groups_) windows_ = windows_ || r.kind != Retention::Kind::kFull;
  }

  std::optional<KVModelLease> Acquire(const std::string& scope, const std::vector<TokenId>& tokens,
                                      const std::vector<ExtraKey>& extras, size_t reserve,
                                      bool read, bool publish) {
    KVModelLease lease;
    lease.generation = Generation(scope);
    lease.tokens = tokens;
    lease.extras = extras;
    lease.publish = publish;
    std::string partial_source;
    if (read) Match(&lease, &partial_source);
    const size_t total = BlocksFor(tokens.size() + reserve);
    if (total > capacity_) return std::nullopt;
    Hold(lease, +1);
    if (!partial_source.empty()) ++held_[partial_source];
    if (lease.lower > 0) held_lower_ = Key(lease, lease.public_blocks + lease.lower);
    const bool room = MakeRoom(total - lease.public_blocks);
    if (!room && lease.lower > 0) nodes_[held_lower_].lower_last = ++now_;
    held_lower_.clear();
    if (!partial_source.empty()) {
      if (--held_[partial_source] == 0) held_.erase(partial_source);
      Touch(partial_source);
    }
    if (!room) {
      Hold(lease, -1);
      TouchPath(lease, lease.public_blocks);
      return std::nullopt;
    }
    Use(total - lease.public_blocks);
    lease.table.assign(groups_.size(), std::vector<Entry>(total, KVModelLease::kOwn));
    NamePath(&lease);
    const size_t low = lease.low;
    Load(&lease);
    lease.low = std::min(low, LowOf(lease.public_blocks));
    requested_ += tokens.size();
    hits_ += lease.matched;
    return lease;
  }

  size_t Peek(const std::string& scope, const std::vector<TokenId>& tokens,
              const std::vector<ExtraKey>& extras) {
    if (generations_.count(scope) == 0) return 0;
    KVModelLease lease;
    lease.generation = Generation(scope);
    lease.tokens = tokens;
    lease.extras = extras;
    std::string partial;
    Match(&lease, &partial);
    return lease.matched;
  }

  bool Reserve(KVModelLease* lease, size_t tokens) {
    const size_t want = BlocksFor(tokens);
    if (want <= lease->reserved()) return true;
    if (!MakeRoom(want - lease->reserved())) return false;
    Use(want - lease->reserved());
    for (std::vector<Entry>& column : lease->table) column.resize(want, KVModelLease::kOwn);
    return true;
  }

  bool Append(KVModelLease* lease, const std::vector<TokenId>& ids) {
    if (!Reserve(lease, lease->tokens.size() + ids.size())) return false;
    lease->tokens.insert(lease->tokens.end(), ids.begin(), ids.end());
    return true;
  }

  void Commit(KVModelLease* lease, size_t end) {
    lease->committed = end;
    if (!lease->publish) return;
    if (lease->public_blocks < end / b_ && dropped_.count(lease->generation) != 0) {
      lease->publish = false;
      return;
    }
    while (lease->public_blocks < end / b_) {
      Hold(*lease, -1);
      ++lease->public_blocks;
      Hold(*lease, +1);
      const std::string key = Key(*lease, lease->public_blocks);
      const auto there = nodes_.find(key);
      const size_t position = lease->public_blocks - 1;
      if (there != nodes_.end() && !there->second.lower) {
        bool kept = false;
        for (size_t g = 0; g < groups_.size(); ++g) {
          if (there->second.has[g]) {
            kept = true;
          } else {
            there->second.has[g] = true;
            Name(lease, key, g, position);
          }
        }
        lease->deduped += kept ? 1 : 0;
        continue;
      }
      if (there != nodes_.end()) {
        there->second.lower = false;
        there->second.last = ++now_;
        there->second.has.assign(groups_.size(), true);
        --lower_used_;
      } else {
        nodes_[key] = {++now_, ++inserted_, false, 0, std::vector<bool>(groups_.size(), true)};
      }
      // used_ is unchanged: the blocks became the cache's
      for (size_t g = 0; g < groups_.size(); ++g) Name(lease, key, g, position);
    }
  }

  // What the lease has of its own and the cache has not becomes the cache's.
  void FillHoles(KVModelLease* lease, size_t position) {
    const std::string key = Key(*lease, position + 1);
    Node& node = nodes_.at(key);
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (node.has[g] || lease->table[g][position] != KVModelLease::kOwn) continue;
      node.has[g] = true;
      Name(lease, key, g, position);
    }
  }

  bool Fork(const KVModelLease& lease, KVModelLease* fork) {
    const size_t total = BlocksFor(lease.committed);
    if (!MakeRoom(total - lease.public_blocks)) return false;
    *fork = lease;
    fork->tokens.resize(lease.committed);
    fork->matched = lease.committed;
    fork->deduped = 0;
    fork->swept = false;
    Use(total - lease.public_blocks);
    for (size_t g = 0; g < groups_.size(); ++g) {
      fork->table[g].resize(total);
      for (size_t i = lease.public_blocks; i < total; ++i) {
        if (fork->table[g][i] == KVModelLease::kNone) --used_[g];
      }
    }
    NamePath(fork);
    Hold(*fork, +1);
    return true;
  }

  bool Truncate(KVModelLease* lease, size_t end) {
    const size_t keep = end / b_;
    for (size_t g = 0; g < groups_.size(); ++g) {  // what the token at `end` attends to
      for (size_t i = 0; i < BlocksFor(end); ++i) {
        const bool needed = !Single(g, i) || i >= Begin(g, end);
        if (needed && lease->table[g][i] == KVModelLease::kNone) return false;
      }
    }
    size_t room = 0;
    std::vector<size_t> loose(groups_.size(), 0);  // private, but not a whole column
    bool whole_at_keep = false;
    for (size_t i = keep; i < lease->reserved(); ++i) {
      size_t own = 0;
      for (const std::vector<Entry>& column : lease->table) own += column[i] == KVModelLease::kOwn;
      const bool whole = own == groups_.size();
      if (i == keep) whole_at_keep = whole;
      room += whole ? 1 : 0;
      for (size_t g = 0; g < groups_.size() && !whole; ++g) {
        loose[g] += lease->table[g][i] == KVModelLease::kOwn ? 1 : 0;
      }
    }
    if (end % b_ != 0 && !whole_at_keep && room == 0) {
      if (!MakeRoom(1)) return false;
      room = 1;
      Use(1);
    }
    for (size_t g = 0; g < groups_.size(); ++g) used_[g] -= loose[g];
    if (lease->public_blocks > keep) {
      UnnamePath(lease, keep);
      TouchPath(*lease, lease->public_blocks);
      Hold(*lease, -1);
      lease->public_blocks = keep;
      Hold(*lease, +1);
      for (size_t i = 0; i < keep; ++i) FillHoles(lease, i);
      Reap(lease->generation);
    }
    for (std::vector<Entry>& column : lease->table) {
      column.resize(std::min(keep, column.size()));
      column.resize(keep + room, KVModelLease::kOwn);
    }
    lease->low = std::min(lease->low, keep);
    lease->tokens.resize(end);
    lease->committed = std::min(lease->committed, end);
    lease->matched = std::min(lease->matched, end);
    while (!lease->extras.empty() && lease->extras.back().token_offset >= end)
      lease->extras.pop_back();
    return true;
  }

  // Blocks that no later token attends to: the lease's own go, public ones when no table names them
  // and no end of the path (its own, a fork in it, a hold) has them in its window.
  size_t ApplyRetention(KVModelLease* lease) {
    std::vector<size_t> begin(groups_.size(), 0);
    size_t low = SIZE_MAX;
    bool news = !lease->swept && windows_;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (groups_[g].kind == Retention::Kind::kFull) continue;
      begin[g] = Begin(g, lease->committed);
      low = std::min(low, begin[g]);
      for (size_t i = 0; i < begin[g]; ++i) {
        news = news || (Single(g, i) && lease->table[g][i] != KVModelLease::kNone);
      }
    }
    if (!news) return 0;
    size_t freed = 0;
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (size_t i = 0; i < begin[g]; ++i) {
        Entry& entry = lease->table[g][i];
        if (!Single(g, i) || entry == KVModelLease::kNone) continue;
        if (entry == KVModelLease::kOwn) {
          --used_[g];
          ++freed;
        } else {
          --names_[{Key(*lease, i + 1), g}];
        }
        entry = KVModelLease::kNone;
      }
      for (size_t i = lease->swept ? lease->low : 0; i < lease->public_blocks; ++i) {
        const std::string key = Key(*lease, i + 1);
        Node& node = nodes_[key];
        if (!Single(g, i) || !node.has[g] || names_[{key, g}] != 0) continue;
        bool needed = false;
        for (size_t n = i + 1; n <= lease->public_blocks && !needed; ++n) {
          needed = i >= Begin(g, n * b_) && End(*lease, n);
        }
        if (needed) continue;
        node.has[g] = false;
        --used_[g];
        ++freed;
      }
    }
    lease->low = std::max(lease->low, low);
    lease->swept = true;
    return freed;
  }

  void Release(KVModelLease lease) {
    for (size_t g = 0; g < lease.table.size(); ++g) {  // a pin has no table
      for (const Entry entry : lease.table[g]) used_[g] -= entry == KVModelLease::kOwn ? 1 : 0;
    }
    UnnamePath(&lease, 0);
    TouchPath(lease, lease.public_blocks);
    Hold(lease, -1);
    Reap(lease.generation);
  }

  size_t Drop(const std::string& scope) {
    const auto it = generations_.find(scope);
    if (it == generations_.end()) return 0;
    const std::string generation = it->second;
    generations_.erase(it);
    dropped_.insert(generation);
    size_t count = 0;
    for (const auto& [key, node] : nodes_)
      count += key.compare(0, generation.size(), generation) == 0 ? 1 : 0;
    Reap(generation);
    return count;
  }

  // Holds the whole cached blocks of a prompt; 0 if there are none.
  size_t Pin(const std::string& scope, const std::vector<TokenId>& tokens,
             const std::vector<ExtraKey>& extras, KVModelLease* pin) {
    if (generations_.count(scope) == 0) return 0;
    pin->generation = Generation(scope);
    pin->tokens = tokens;
    pin->extras = extras;
    while ((pin->public_blocks + 1) * b_ <= tokens.size() &&
           OnDevice(Key(*pin, pin->public_blocks + 1))) {
      ++pin->public_blocks;
    }
    while (!Whole(*pin, pin->public_blocks, pin->public_blocks * b_)) --pin->public_blocks;
    if (pin->public_blocks > 0) Hold(*pin, +1);
    return pin->public_blocks;
  }

  size_t Shrink(size_t blocks) {
    size_t evicted = 0;
    while (used() > blocks) {
      const size_t now = EvictSome(used() - blocks);
      if (now == 0) break;
      evicted += now;
    }
    return evicted;
  }

  size_t cached() const { return nodes_.size(); }
  size_t used() const { return *std::max_element(used_.begin(), used_.end()); }
  size_t device_blocks() const {
    size_t blocks = 0;
    for (size_t used : used_) blocks += used;
    return blocks;
  }
  size_t lower_blocks() const {
    if (!windows_) return lower_used_ * groups_.size();
    size_t blocks = 0;
    for (const auto& [key, node] : nodes_) {
      if (!node.lower) continue;
      for (const bool has : node.has) blocks += has ? 1 : 0;
    }
    return blocks;
  }
  size_t lower_used() const { return lower_used_; }
  uint64_t evicted() const { return evicted_; }
  uint64_t hits() const { return hits_; }

 private:
  using Entry = KVModelLease::Entry;
  struct Node {
    uint64_t last = 0, inserted = 0;
    bool lower = false;
    uint64_t lower_last = 0;
    std::vector<bool> has;  // by group
  };

  // The first block in the window of token `token`.
  size_t Begin(size_t g, size_t token) const {
    const size_t window = groups_[g].window_tokens;
    if (groups_[g].kind == Retention::Kind::kFull) return 0;
    return token + 1 > window ? (token + 1 - window) / b_ : 0;
  }
  bool Single(size_t g, size_t position) const {
    return groups_[g].kind != Retention::Kind::kFull && position * b_ >= groups_[g].sink_tokens;
  }
  size_t LowOf(size_t blocks) const {
    size_t low = SIZE_MAX;
    for (size_t g = 0; g < groups_.size(); ++g) {
      if (groups_[g].kind != Retention::Kind::kFull) low = std::min(low, Begin(g, blocks * b_));
    }
    return low;
  }

  // Whether a match of `blocks` blocks, `tokens` tokens in all, has what the next token needs.
  bool Whole(const KVModelLease& lease, size_t blocks, size_t tokens) const {
    if (!windows_) return true;
    for (size_t i = 0; i < blocks; ++i) {
      const Node& node = nodes_.at(Key(lease, i + 1));
      for (size_t g = 0; g < groups_.size(); ++g) {
        if (!node.has[g] && (!Single(g, i) || i >= Begin(g, tokens))) return false;
      }
    }
    return true;
  }

  // The path of the lease ends, branches or is held behind its first n blocks.
  bool End(const KVModelLease& lease, size_t n) const {
    const std::string key = Key(lease, n);
    if (n == lease.public_blocks || held_.count(key) != 0) return true;
    size_t children = 0;
    for (auto it = nodes_.upper_bound(key);
         it != nodes_.end() && it->first.compare(0, key.size(), key) == 0; ++it) {
      children += it->first.find('/', key.size()) == it->first.size() - 1 ? 1 : 0;
    }
    return children > 1;
  }

  void Use(size_t columns) {
    for (size_t& used : used_) used += columns;
  }

  void Name(KVModelLease* lease, const std::string& key, size_t g, size_t position) {
    lease->table[g][position] = KVModelLease::kPublic;
    if (Single(g, position)) ++names_[{key, g}];
  }

  // The table of a lease that has just come to its path: sinks and windows.
  void NamePath(KVModelLease* lease) {
    lease->low = LowOf(lease->public_blocks);
    for (size_t i = 0; i < lease->public_blocks; ++i) {
      const std::string key = windows_ ? Key(*lease, i + 1) : "";
      for (size_t g = 0; g < groups_.size(); ++g) {
        const bool wanted = !Single(g, i) || i >= Begin(g, lease->public_blocks * b_);
        lease->table[g][i] = KVModelLease::kNone;
        if (!windows_) lease->table[g][i] = KVModelLease::kPublic;
        if (windows_ && wanted && nodes_[key].has[g]) Name(lease, key, g, i);
      }
    }
  }

  void UnnamePath(KVModelLease* lease, size_t first) {
    for (size_t g = 0; g < lease->table.size(); ++g) {
      for (size_t i = first; i < lease->public_blocks; ++i) {
        if (!Single(g, i) || lease->table[g][i] != KVModelLease::kPublic) continue;
        --names_[{Key(*lease, i + 1), g}];
      }
    }
  }

  size_t BlocksFor(size_t tokens) const { return (tokens + b_ - 1) / b_; }

  std::string Generation(const std::string& scope) {
    std::string& g = generations_[scope];
    if (g.empty()) g = "g" + std::to_string(++generation_) + "|";
    return g;
  }

  static std::string Spell(const std::vector<TokenId>& tokens, size_t begin, size_t count,
                           const std::vector<ExtraKey>& extras) {
    std::string s;
    for (size_t i = begin; i < begin + count; ++i) s += std::to_string(tokens[i]) + ",";
    for (const ExtraKey& e : extras) {
      if (e.token_offset < begin + count &&
          e.token_offset + std::max<size_t>(e.token_len, 1) > begin) {
        s += "<" + std::to_string(e.token_offset) + "+" + std::to_string(e.token_len) + ":" +
             std::to_string(e.content[0]) + ">";
      }
    }
    return s + "/";
  }

  std::string Key(const KVModelLease& lease, size_t blocks) const {
    std::string key = lease.generation;
    for (size_t i = 0; i < blocks; ++i) key += Spell(lease.tokens, i * b_, b_, lease.extras);
    return key;
  }

  // Tokens of a node's last block that agree with the prompt from `begin` on, keys included.
  size_t Agree(const std::string& block, const KVModelLease& lease, size_t begin,
               size_t limit) const {
    size_t agree = 0;
    while (agree < limit) {
      // The block's spelling up to agree + 1 tokens must be the prompt's, and no key that differs
      // may start there.
      const std::string mine = Spell(lease.tokens, begin, agree + 1, {});
      const std::string body = mine.substr(0, mine.size() - 1);
      if (block.compare(0, body.size(), body) != 0) break;
      std::set<std::string> theirs, ours;
      const size_t position = begin + agree;
      Starts(block, position, &theirs);
      for (const ExtraKey& e : lease.extras) {
        if (e.token_offset <= position &&
            e.token_offset + std::max<size_t>(e.token_len, 1) > begin) {
          ours.insert(std::to_string(e.token_offset) + "+" + std::to_string(e.token_len) + ":" +
                      std::to_string(e.content[0]));
        }
      }
      if (theirs != ours) break;
      ++agree;
    }
    return agree;
  }

  static void Starts(const std::string& block, size_t position, std::set<std::string>* out) {
    for (size_t at = block.find('<'); at != std::string::npos; at = block.find('<', at + 1)) {
      const std::string key = block.substr(at + 1, block.find('>', at) - at - 1);
      if (std::stoul(key) <= position) out->insert(key);
    }
  }

  void Match(KVModelLease* lease, std::string* partial_source) {
    const size_t usable = lease->tokens.size() - 1;
    while ((lease->public_blocks + 1) * b_ <= usable &&
           OnDevice(Key(*lease, lease->public_blocks + 1))) {
      ++lease->public_blocks;
    }
    while ((lease->public_blocks + lease->lower + 1) * b_ <= usable &&
           nodes_.count(Key(*lease, lease->public_blocks + lease->lower + 1)) != 0) {
      ++lease->lower;
    }
    const size_t device = lease->public_blocks;
    if (lease->lower == 0) {
      MatchPartial(lease, partial_source);
      if (lease->partial > 0 && Whole(*lease, device, device * b_ + lease->partial)) return;
      lease->partial = 0;
      partial_source->clear();
    }
    size_t blocks = device + lease->lower;
    while (!Whole(*lease, blocks, blocks * b_)) --blocks;
    lease->public_blocks = std::min(device, blocks);
    lease->lower = blocks - lease->public_blocks;
    lease->matched = lease->committed = blocks * b_;
    if (lease->lower == 0) MatchPartial(lease, partial_source);
  }

  void MatchPartial(KVModelLease* lease, std::string* partial_source) {
    const size_t usable = lease->tokens.size() - 1;
    const std::string prefix = Key(*lease, lease->public_blocks);
    const size_t begin = lease->public_blocks * b_;
    uint64_t newest = 0;
    for (auto it = nodes_.lower_bound(prefix);
         it != nodes_.end() && it->first.compare(0, prefix.size(), prefix) == 0; ++it) {
      const std::string rest = it->first.substr(prefix.size());
      if (rest.empty() || rest.find('/') != rest.size() - 1) continue;  // not a child
      if (it->second.lower) continue;
      const std::vector<bool>& has = it->second.has;
      if (std::find(has.begin(), has.end(), false) != has.end()) continue;
      const size_t agree = Agree(rest, *lease, begin, std::min(b_, usable - begin));
      if (agree > lease->partial ||
          (agree == lease->partial && agree > 0 && it->second.inserted > newest)) {
        lease->partial = agree;
        newest = it->second.inserted;
        *partial_source = it->first;
      }
    }
    lease->matched = lease->committed = begin + lease->partial;
  }

  static std::string Parent(const std::string& key) {
    const size_t slash = key.find_last_of('/', key.size() - 2);
    return slash == std::string::npos ? "" : key.substr(0, slash + 1);
  }

  void Touch(const std::string& key) {
    ++now_;
    for (std::string k = key; !k.empty(); k = Parent(k)) {
      const auto it = nodes_.find(k);
      if (it != nodes_.end()) it->second.last = now_;
    }
  }
  void TouchPath(const KVModelLease& lease, size_t blocks) {
    if (blocks > 0) Touch(Key(lease, blocks));
  }

  void Hold(const KVModelLease& lease, int by) {
    if (lease.public_blocks == 0) return;
    const std::string key = Key(lease, lease.public_blocks);
    held_[key] += by;
    if (held_[key] == 0) held_.erase(key);
  }

  bool Held(const std::string& key) const {
    const auto it = held_.lower_bound(key);
    return it != held_.end() && it->first.compare(0, key.size(), key) == 0;
  }
  bool Leaf(std::map<std::string, Node>::const_iterator it) const {
    const std::string& key = it->first;
    for (++it; it != nodes_.end() && it->first.compare(0, key.size(), key) == 0; ++it) {
      if (!it->second.lower) return false;
    }
    return true;
  }
  bool OnDevice(const std::string& key) const {
    const auto it = nodes_.find(key);
    return it != nodes_.end() && !it->second.lower;
  }

  bool EvictOne() {
    auto victim = nodes_.end();
    for (auto it = nodes_.begin(); it != nodes_.end(); ++it) {
      if (it->second.lower || !Leaf(it) || Held(it->first)) continue;
      if (victim == nodes_.end() || it->second.last < victim->second.last) victim = it;
    }
    if (victim == nodes_.end()) return false;
    for (size_t g = 0; g < groups_.size(); ++g) used_[g] -= victim->second.has[g] ? 1 : 0;
    if (lower_capacity_ > 0 && (lower_used_ < lower_capacity_ || ForgetLower())) {
      victim->second.lower = true;
      ++lower_used_;
      moving_.push_back(victim->first);
      return true;
    }
    const std::string key = victim->first;  // and what continues it in the second tier
    for (auto it = victim; it != nodes_.end() && it->first.compare(0, key.size(), key) == 0;) {
      ++evicted_;
      if (it->second.lower && !Moving(it->first)) --lower_used_;
      it = nodes_.erase(it);
    }
    return true;
  }

  bool Moving(const std::string& key) const {
    return std::find(moving_.begin(), moving_.end(), key) != moving_.end();
  }

  bool ForgetLower() {
    auto victim = nodes_.end();
    for (auto it = nodes_.begin(); it != nodes_.end(); ++it) {
      const auto next = std::next(it);
      const bool inner =
          next != nodes_.end() && next->first.compare(0, it->first.size(), it->first) == 0;
      if (!it->second.lower || inner || it->first == held_lower_ || Moving(it->first)) continue;
      if (victim == nodes_.end() || it->second.lower_last < victim->second.lower_last) victim = it;
    }
    if (victim == nodes_.end()) return false;
    nodes_.erase(victim);
    ++evicted_;
    --lower_used_;
    return true;
  }

  // The victims of one call are in the second tier now, those forgotten meanwhile are not.
  void Arrive() {
    for (const std::string& key : moving_) {
      const auto it = nodes_.find(key);
      if (it == nodes_.end()) {
        --lower_used_;
      } else {
        it->second.lower_last = ++now_;
      }
    }
    moving_.clear();
  }

  // The lower part of the match comes to the device, into columns that used_ counts already.
  void Load(KVModelLease* lease) {
    if (lease->lower == 0) return;
    const size_t before = lease->public_blocks;
    for (size_t i = 1; i <= lease->lower; ++i) {
      Node& node = nodes_[Key(*lease, before + i)];
      node.lower = false;
      node.last = ++now_;
      --lower_used_;
      for (size_t g = 0; g < groups_.size(); ++g) {
        lease->table[g][before + i - 1] = KVModelLease::kNone;
        if (node.has[g]) {
          Name(lease, Key(*lease, before + i), g, before + i - 1);
        } else {
          --used_[g];
        }
      }
    }
    TouchPath(*lease, before);
    Hold(*lease, -1);
    lease->public_blocks += lease->lower;
    Hold(*lease, +1);
  }

  bool MakeRoom(size_t columns) {
    if (used() + columns <= capacity_) return true;
    const size_t over = used() + columns - capacity_;
    size_t evictable = 0;
    for (const auto& [key, node] : nodes_) evictable += Held(key) || node.lower ? 0 : 1;
    if (evictable < over) return false;
    size_t evicted = 1;
    while (used() + columns > capacity_ && evicted > 0) {
      evicted = 0;
      for (size_t i = used() + columns - capacity_; i > 0 && EvictOne(); --i) ++evicted;
    }
    Arrive();
    return used() + columns <= capacity_;
  }

  size_t EvictSome(size_t columns) {
    size_t evicted = 0;
    while (evicted < columns && EvictOne()) ++evicted;
    Arrive();
    return evicted;
  }

  void Reap(const std::string& generation) {
    if (dropped_.count(generation) == 0) return;
    for (auto it = nodes_.begin(); it != nodes_.end();) {
      if (it->first.compare(0, generation.size(), generation) == 0 && !Held(it->first)) {
        if (it->second.lower) --lower_used_;
        for (size_t g = 0; g < groups_.size() && !it->second.lower; ++g) {
          used_[g] -= it->second.has[g] ? 1 : 0;
        }
        it = nodes_.erase(it);
      } else {
        ++it;
      }
    }
  }

  const size_t b_, capacity_, lower_capacity_;
  const std::vector<Retention> groups_;
  bool windows_ = false;
  std::map<std::string, Node> nodes_;  // cached blocks, dropped but held ones included
  std::map<std::string, int> held_;
  std::map<std::string, std::string> generations_;
  std::set<std::string> dropped_;
  uint64_t generation_ = 0, now_ = 0, inserted_ = 0, evicted_ = 0, hits_ = 0, requested_ = 0;
  std::vector<size_t> used_;  // by group: cached and private, on the device
  std::map<std::pair<std::string, size_t>, int> names_;  // tables that name a block, by group
  size_t lower_used_ = 0;                                // in the second tier, and on the way there
  std::vector<std::string> moving_;
  std::string held_lower_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_KV_MODEL_H_
