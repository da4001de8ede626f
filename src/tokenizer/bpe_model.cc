// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/bpe_model.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <utility>

#include "text/utf8.h"
#include "tokenizer/fingerprint.h"

namespace penstock::internal {

using spm::CharPairs;
namespace {

constexpr size_t kShort = 32;  // symbols; below, scanning beats a heap
constexpr uint32_t kWindow = 1024;
constexpr uint32_t kOverlap = 128;
constexpr uint32_t kNone = 0xFFFFFFFF;

}  // namespace

BpeModel::BpeModel(Spec spec, std::vector<uint8_t> control)
    : spec_(std::move(spec)), control_(std::move(control)) {
  has_control_ = std::find(control_.begin(), control_.end(), 1) != control_.end();
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    byte_ids_[static_cast<size_t>(b)] = spec_.pieces.Find(std::string_view(&byte, 1));
    char code[8];
    std::snprintf(code, sizeof(code), "<0x%02X>", b);
    fallback_ids_[static_cast<size_t>(b)] = spec_.pieces.Find(code);
  }
  FindCuts();
}

// Which characters stand side by side in a token. Not where a token is no concatenation of its
// characters: affixes, merges of byte or unknown tokens. Without unk a character may vanish, and
// those around it become neighbours.
void BpeModel::FindCuts() {
  cuts_ = !spec_.bytes && spec_.unk.has_value() && spec_.continuing_subword_prefix.empty() &&
          spec_.end_of_word_suffix.empty();
  if (!cuts_) return;
  const auto odd = [this](TokenId id) {
    return id == spec_.unk.value_or(-1) ||
           std::find(fallback_ids_.begin(), fallback_ids_.end(), id) != fallback_ids_.end();
  };
  spec_.merges.ForEach([&](TokenId left, TokenId right, const Merge&) {
    cuts_ = cuts_ && !odd(left) && !odd(right);
  });
  if (!cuts_) return;
  size_t bytes = 0;
  for (size_t i = 0; i < spec_.pieces.size(); ++i) bytes += spec_.pieces.KeyOf(i).size();
  pairs_ = CharPairs(std::min(bytes / 2, size_t{4} << 20));
  for (size_t i = 0; i < spec_.pieces.size(); ++i) pairs_.AddPiece(spec_.pieces.KeyOf(i));
}

TokenId BpeModel::Find(std::string_view bytes, bool allow_control) const {
  const TokenId id = spec_.pieces.Find(bytes);
  return id >= 0 && Forbidden(id, allow_control) ? ByteMap::kAbsent : id;
}

void BpeModel::SplitBytes(std::string_view piece, bool allow_control,
                          std::vector<PieceToken>* out) const {
  for (uint32_t i = 0; i < piece.size(); ++i) {
    const TokenId id = byte_ids_[static_cast<uint8_t>(piece[i])];
    if (id >= 0 && !Forbidden(id, allow_control)) {
      out->push_back({id, i, i + 1});
    } else if (spec_.unk.has_value()) {
      if (spec_.fuse_unk && i > 0 && !out->empty() && out->back().id == *spec_.unk &&
          out->back().end == i) {
        out->back().end = i + 1;
      } else {
        out->push_back({*spec_.unk, i, i + 1});
      }
    }
  }
}

// The <0xNN> tokens of `symbol`, or false if one of them is missing. Each counts as one byte of the
// piece, as in the reference.
bool BpeModel::ByteFallback(std::string_view symbol, bool allow_control, uint32_t* length,
                            std::vector<PieceToken>* out) const {
  if (!spec_.byte_fallback) return false;
  for (const char byte : symbol) {
    const TokenId id = fallback_ids_[static_cast<uint8_t>(byte)];
    if (id < 0 || Forbidden(id, allow_control)) return false;
  }
  for (const char byte : symbol) {
    out->push_back({fallback_ids_[static_cast<uint8_t>(byte)], *length, *length + 1});
    ++*length;
  }
  return true;
}

// Positions are sums of the lengths of the symbols so far, as in the reference: a character that is
// dropped (no token, no unk) moves what follows.
void BpeModel::SplitChars(std::string_view piece, bool allow_control, uint32_t* total,
                          std::vector<PieceToken>* out) const {
  uint32_t& length = *total;
  uint32_t unk_length = 0;  // of the pending unknown
  bool pending = false;
  const auto flush = [&] {
    if (!pending) return;
    out->push_back({*spec_.unk, length, length + unk_length});
    length += unk_length;
    pending = false;
  };
  std::string affixed;
  for (size_t pos = 0; pos < piece.size();) {
    const uint32_t size = DecodeUtf8(piece, pos).size;
    std::string_view symbol = piece.substr(pos, size);
    const bool prefix = pos > 0 && !spec_.continuing_subword_prefix.empty();
    const bool suffix = pos + size == piece.size() && !spec_.end_of_word_suffix.empty();
    if (prefix || suffix) {
      affixed.assign(prefix ? spec_.continuing_subword_prefix : std::string());
      affixed.append(symbol);
      if (suffix) affixed.append(spec_.end_of_word_suffix);
      symbol = affixed;
    }
    pos += size;
    const TokenId id = Find(symbol, allow_control);
    if (id >= 0) {
      flush();
      out->push_back({id, length, length + size});
      length += size;
    } else if (!ByteFallback(symbol, allow_control, total, out) && spec_.unk.has_value()) {
      if (pending && spec_.fuse_unk) {
        unk_length += size;
      } else {
        flush();
        pending = true;
        unk_length = size;
      }
    }
  }
  flush();
}

void BpeModel::MergeShort(bool allow_control, size_t first, std::vector<PieceToken>* out) const {
  uint32_t ranks[kShort];  // of symbol i with its right neighbour
  TokenId ids[kShort];
  PieceToken* const symbols = out->data() + first;
  size_t count = out->size() - first;
  const auto look_up = [&](size_t i) {
    const Merge* m = FindMerge(symbols[i].id, symbols[i + 1].id, allow_control);
    ranks[i] = m == nullptr ? kNone : m->rank;
    ids[i] = m == nullptr ? 0 : m->id;
  };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNone) break;
    symbols[best].id = ids[best];
    symbols[best].end = symbols[best + 1].end;
    for (size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      ranks[i - 1] = ranks[i];
      ids[i - 1] = ids[i];
    }
    --count;
    // What moved: the pair that began at best + 1 now begins at best, and is looked up anew.
    if (best + 1 < count) look_up(best);
    if (best > 0) look_up(best - 1);
  }
  out->resize(first + count);
}

// Symbols [first, first + count) of the piece as one token.
struct BpeModel::Merged {
  TokenId id;
  uint32_t first;
  uint32_t count;
};

// Merges symbols [begin, end) as if nothing stood around them: a linked list and a heap of pairs,
// smallest rank first, of equal ones the leftmost.
class BpeModel::Window {
 public:
  Window(const BpeModel& model, bool allow_control, const PieceToken* symbols)
      : model_(model), allow_control_(allow_control), symbols_(symbols) {}

  void Run(uint32_t begin, uint32_t end, std::vector<Merged>* out) {
    const uint32_t count = end - begin;
    links_.resize(count);
    heap_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      links_[i] = {i - 1, i + 1, kNone, symbols_[begin + i].id, 0};  // the first has no previous
    }
    for (uint32_t i = 0; i + 1 < count; ++i) LookUp(i, i + 1, /*sift=*/false);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<uint64_t>());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<uint64_t>());
      const uint32_t left = static_cast<uint32_t>(heap_.back());
      const uint32_t rank = static_cast<uint32_t>(heap_.back() >> 32);
      heap_.pop_back();
      if (links_[left].rank != rank) continue;  // has changed since
      const uint32_t right = links_[left].next;
      links_[left].id = links_[left].merged;
      links_[left].rank = links_[right].rank = kNone;
      links_[left].next = links_[right].next;
      if (links_[left].next < count) {
        links_[links_[left].next].previous = left;
        LookUp(left, links_[left].next, /*sift=*/true);
      }
      if (left > 0) LookUp(links_[left].previous, left, /*sift=*/true);
    }
    out->clear();
    for (uint32_t i = 0; i < count; i = links_[i].next) {
      out->push_back({links_[i].id, begin + i, links_[i].next - i});
    }
  }

 private:
  struct Link {
    uint32_t previous, next;
    uint32_t rank;  // of this symbol with the next; kNone: they do not merge
    TokenId id, merged;
  };

  void LookUp(uint32_t left, uint32_t right, bool sift) {
    const Merge* m = model_.FindMerge(links_[left].id, links_[right].id, allow_control_);
    links_[left].rank = m == nullptr ? kNone : m->rank;
    if (m == nullptr) return;
    links_[left].merged = m->id;
    heap_.push_back(uint64_t{m->rank} << 32 | left);
    if (sift) std::push_heap(heap_.begin(), heap_.end(), std::greater<uint64_t>());
  }

  const BpeModel& model_;
  const bool allow_control_;
  const PieceToken* const symbols_;
  std::vector<Link> links_;
  std::vector<uint64_t> heap_;  // rank, then position
};

namespace {

// Index in `left` (from `from` on) and `right` of the first token that both have.
template <typename Tokens>
bool FindSeam(const Tokens& left, size_t from, const Tokens& right, size_t* in_left,
              size_t* in_right) {
  size_t i = from, j = 0;
  while (i < left.size() && j < right.size()) {
    if (left[i].first != right[j].first) {
      ++(left[i].first < right[j].first ? i : j);
    } else if (left[i].count == right[j].count) {
      *in_left = i;
      *in_right = j;
      return true;
    } else {
      ++i;
      ++j;
    }
  }
  return false;
}

}  // namespace

// `tokens` is always what merging symbols [0, end) gives. A window that needs to start further back
// also reaches further ahead, so that the work stays in proportion to the progress.
void BpeModel::MergeLong(bool allow_control, size_t first, std::vector<PieceToken>* out) const {
  PieceToken* const symbols = out->data() + first;
  const uint32_t total = static_cast<uint32_t>(out->size() - first);
  Window window(*this, allow_control, symbols);
  std::vector<Merged> tokens, right;
  uint32_t end = std::min(total, kWindow);
  uint32_t overlap = kOverlap;
  window.Run(0, end, &tokens);
  while (end < total) {
    size_t from = tokens.size() - 1;
    while (from > 0 && tokens[from].first + overlap > end) --from;
    const uint32_t begin = tokens[from].first;
    const uint64_t reach = std::max<uint64_t>(begin + kWindow, uint64_t{end} + (end - begin));
    const uint32_t next_end = static_cast<uint32_t>(std::min<uint64_t>(total, reach));
    window.Run(begin, next_end, &right);
    size_t in_left = 0, in_right = 0;
    if (from == 0) {
      tokens.swap(right);  // from the very start: right by definition
    } else if (FindSeam(tokens, from, right, &in_left, &in_right)) {
      tokens.resize(in_left);
      tokens.insert(tokens.end(), right.begin() + static_cast<ptrdiff_t>(in_right), right.end());
    } else {
      overlap *= 2;
      continue;
    }
    end = next_end;
    overlap = kOverlap;
  }
  size_t kept = 0;
  for (const Merged& token : tokens) {
    const uint32_t last = token.first + token.count - 1;
    symbols[kept++] = {token.id, symbols[token.first].begin, symbols[last].end};
  }
  out->resize(first + kept);
}

// Splits the symbols out[first, …) into tokens.
void BpeModel::MergeSymbols(bool allow_control, size_t first, std::vector<PieceToken>* out) const {
  const size_t symbols = out->size() - first;
  if (symbols < 2) return;
  if (symbols <= kShort) {
    MergeShort(allow_control, first, out);
  } else {
    MergeLong(allow_control, first, out);
  }
}

bool BpeModel::CutsBetween(std::string_view text, size_t left, size_t right) const {
  if (pairs_.MayJoin(CharPairs::CharAt(text.substr(0, right), left),
                     CharPairs::CharAt(text, right))) {
    return false;
  }
  // Unknown neighbours may become one, and the bytes of a character overtake an unknown one.
  return (!spec_.fuse_unk && !spec_.byte_fallback) ||
         Find(text.substr(right, DecodeUtf8(text, right).size), /*allow_control=*/false) >= 0;
}

size_t BpeModel::SplitPoint(std::string_view piece) const {
  if (!cuts_ || spec_.whole_piece) return 0;
  size_t right = piece.size();
  while (right > 0) {
    --right;
    while (right > 0 && IsUtf8Continuation(piece[right])) --right;
    if (right == 0) break;
    size_t left = right - 1;
    while (left > 0 && IsUtf8Continuation(piece[left])) --left;
    if (CutsBetween(piece, left, right)) return right;
  }
  return 0;
}

void BpeModel::Encode(std::string_view piece, bool allow_control,
                      std::vector<PieceToken>* out) const {
  if (piece.empty()) return;
  if (spec_.whole_piece) {
    const TokenId id = Find(piece, allow_control);
    if (id >= 0) {
      out->push_back({id, 0, static_cast<uint32_t>(piece.size())});
      return;
    }
  }
  if (spec_.bytes) {
    const size_t first = out->size();
    SplitBytes(piece, allow_control, out);
    MergeSymbols(allow_control, first, out);
    return;
  }
  // Parts that no token reaches across are merged alone.
  uint32_t length = 0;
  size_t begin = 0;
  size_t left = 0;
  for (size_t at = DecodeUtf8(piece, 0).size; cuts_ && at < piece.size();) {
    if (CutsBetween(piece, left, at)) {
      const size_t first = out->size();
      SplitChars(piece.substr(begin, at - begin), allow_control, &length, out);
      MergeSymbols(allow_control, first, out);
      begin = at;
    }
    left = at;
    at += DecodeUtf8(piece, at).size;
  }
  const size_t first = out->size();
  SplitChars(piece.substr(begin), allow_control, &length, out);
  MergeSymbols(allow_control, first, out);
}

void BpeModel::Describe(std::string* out) const {
  out->append("bpe;");
  DescribeNumber(
      spec_.bytes | spec_.whole_piece << 1 | spec_.fuse_unk << 2 | spec_.byte_fallback << 3, out);
  DescribeNumber(spec_.unk.value_or(-1), out);
  DescribeString(spec_.continuing_subword_prefix, out);
  DescribeString(spec_.end_of_word_suffix, out);
  std::vector<std::array<uint32_t, 4>> merges;
  merges.reserve(spec_.merges.size());
  spec_.merges.ForEach([&merges](TokenId left, TokenId right, Merge m) {
    merges.push_back({m.rank, static_cast<uint32_t>(left), static_cast<uint32_t>(right),
                      static_cast<uint32_t>(m.id)});
  });
  std::sort(merges.begin(), merges.end());
  for (const auto& m : merges) {
    for (const uint32_t n : m) DescribeNumber(n, out);
  }
  std::vector<std::pair<int32_t, std::string_view>> pieces;
  for (size_t i = 0; i < spec_.pieces.size(); ++i) {
    pieces.emplace_back(spec_.pieces.ValueOf(i), spec_.pieces.KeyOf(i));
  }
  std::sort(pieces.begin(), pieces.end());
  for (const auto& [id, bytes] : pieces) {
    DescribeNumber(id, out);
    DescribeString(bytes, out);
  }
}

}  // namespace penstock::internal
