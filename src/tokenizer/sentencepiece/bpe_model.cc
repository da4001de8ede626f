// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/bpe_model.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace penstock::internal::spm {
namespace {

constexpr uint32_t kNoNode = ~uint32_t{0};
constexpr size_t kSmall = 40;
constexpr size_t kWindow = 1024;
constexpr size_t kOverlap = 128;
constexpr size_t kShortText = 24;  // bytes; not worth looking for cuts

struct Symbol {
  uint32_t begin;  // in the text
  uint32_t size;
  uint32_t node;  // of the trie; kNoNode: no piece begins like this
  bool frozen;    // a user-defined piece: never merged
};

}  // namespace

// Merges the characters of one text. Symbols of the text are numbered from left to right.
class BpeMerger {
 public:
  BpeMerger(const BpeModel& model, std::string_view text, UserPieceMode mode)
      : model_(model), trie_(model.table_->trie()), text_(text), mode_(mode) {}

  void Encode(TokenWriter* out) {
    ReadSymbols();
    if (model_.whole_text_) {
      EmitAll(MergeWithHeap(0, symbols_.size()), out);
    } else if (symbols_.size() <= kSmall) {
      MergeSmall();
      EmitAll(symbols_, out);
    } else if (symbols_.size() <= kWindow) {
      EmitAll(MergeWithHeap(0, symbols_.size()), out);
    } else {
      MergeInWindows(out);
    }
  }

 private:
  // A token found in a window: symbols [first, first + count) of the text.
  struct Merged : Symbol {
    uint32_t first;
    uint32_t count;
  };
  struct Candidate {
    uint64_t key;   // rank, then position: the smallest is merged first
    uint32_t size;  // of the result; tells whether it is still current
    uint32_t node;
  };
  static bool Later(const Candidate& a, const Candidate& b) { return a.key > b.key; }

  void ReadSymbols();
  // Rank of the piece that left + right make, or kNoRank.
  uint32_t Join(const Symbol& left, const Symbol& right, uint32_t* node);
  void MergeSmall();
  std::vector<Merged> MergeWithHeap(size_t begin, size_t end);
  void MergeInWindows(TokenWriter* out);
  // Index in `left` and `right` of the first token that both have; false if there is none.
  static bool FindSeam(const std::vector<Merged>& left, size_t from,
                       const std::vector<Merged>& right, size_t* in_left, size_t* in_right);
  template <class Symbols>
  void EmitAll(const Symbols& symbols, TokenWriter* out) {
    for (const Symbol& symbol : symbols) Emit(symbol, out);
  }
  void Emit(const Symbol& symbol, TokenWriter* out);
  void EmitParts(uint32_t begin, uint32_t size, TokenWriter* out);

  const BpeModel& model_;
  const PieceTrie& trie_;
  std::string_view text_;
  UserPieceMode mode_;
  std::vector<Symbol> symbols_;
  std::unordered_map<TokenId, uint32_t> last_split_;  // of unused pieces, if whole_text_
};

void BpeMerger::ReadSymbols() {
  symbols_.reserve(text_.size() <= kShortText ? text_.size() : text_.size() / 2);
  const UserPieces& user = model_.table_->user_pieces();
  for (size_t at = 0; at < text_.size();) {
    Symbol symbol{static_cast<uint32_t>(at), 0, PieceTrie::kRoot, false};
    size_t length = user.empty() ? 0 : user.MatchLength(text_.substr(at), mode_);
    symbol.frozen = length > 0;
    if (length == 0) length = CharPairs::LengthAt(text_, at);
    symbol.size = static_cast<uint32_t>(length);
    if (!trie_.Walk(&symbol.node, text_.substr(at, length))) symbol.node = kNoNode;
    symbols_.push_back(symbol);
    at += length;
  }
}

uint32_t BpeMerger::Join(const Symbol& left, const Symbol& right, uint32_t* node) {
  if (left.node == kNoNode || left.frozen || right.frozen) return BpeModel::kNoRank;
  *node = left.node;
  if (!trie_.Walk(node, text_.substr(right.begin, right.size))) return BpeModel::kNoRank;
  const TokenId id = trie_.value(*node);
  if (id < 0) return BpeModel::kNoRank;
  if (model_.whole_text_ && model_.table_->type(id) == PieceType::kUnused) {
    last_split_[id] = left.size;
  }
  return model_.ranks_[static_cast<size_t>(id)];
}

void BpeMerger::MergeSmall() {
  struct {
    uint32_t rank, node;
  } joined[kSmall];  // joined[i]: symbols i and i + 1
  size_t size = symbols_.size();
  for (size_t i = 0; i + 1 < size; ++i) {
    joined[i].rank = Join(symbols_[i], symbols_[i + 1], &joined[i].node);
  }
  while (size > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < size; ++i) {
      if (joined[i].rank < joined[best].rank) best = i;
    }
    if (joined[best].rank == BpeModel::kNoRank) break;
    symbols_[best].size += symbols_[best + 1].size;
    symbols_[best].node = joined[best].node;
    symbols_.erase(symbols_.begin() + static_cast<ptrdiff_t>(best) + 1);
    --size;
    for (size_t i = best; i + 1 < size; ++i) joined[i] = joined[i + 1];
    if (best > 0) {
      joined[best - 1].rank = Join(symbols_[best - 1], symbols_[best], &joined[best - 1].node);
    }
    if (best + 1 < size) {
      joined[best].rank = Join(symbols_[best], symbols_[best + 1], &joined[best].node);
    }
  }
}

std::vector<BpeMerger::Merged> BpeMerger::MergeWithHeap(size_t begin, size_t end) {
  const uint32_t count = static_cast<uint32_t>(end - begin);
  std::vector<Symbol> work(symbols_.begin() + static_cast<ptrdiff_t>(begin),
                           symbols_.begin() + static_cast<ptrdiff_t>(end));
  std::vector<uint32_t> next(count), previous(count);
  for (uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;  // of the first: never read as an index
  }
  std::vector<Candidate> heap;
  const auto try_pair = [&](uint32_t left, uint32_t right) {
    uint32_t node = 0;
    const uint32_t rank = Join(work[left], work[right], &node);
    if (rank == BpeModel::kNoRank) return false;
    heap.push_back({uint64_t{rank} << 32 | left, work[left].size + work[right].size, node});
    return true;
  };
  for (uint32_t i = 0; i + 1 < count; ++i) try_pair(i, i + 1);
  std::make_heap(heap.begin(), heap.end(), Later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), Later);
    const Candidate top = heap.back();
    heap.pop_back();
    const uint32_t left = static_cast<uint32_t>(top.key);
    const uint32_t right = next[left];
    if (work[left].size == 0 || right >= count || work[left].size + work[right].size != top.size) {
      continue;
    }
    work[left].size = top.size;
    work[left].node = top.node;
    work[right].size = 0;
    next[left] = next[right];
    if (next[left] < count) previous[next[left]] = left;
    if (left > 0 && try_pair(previous[left], left)) {
      std::push_heap(heap.begin(), heap.end(), Later);
    }
    if (next[left] < count && try_pair(left, next[left])) {
      std::push_heap(heap.begin(), heap.end(), Later);
    }
  }
  std::vector<Merged> merged;
  for (uint32_t i = 0; i < count; i = next[i]) {
    merged.push_back({work[i], static_cast<uint32_t>(begin) + i, next[i] - i});
  }
  return merged;
}

bool BpeMerger::FindSeam(const std::vector<Merged>& left, size_t from,
                         const std::vector<Merged>& right, size_t* in_left, size_t* in_right) {
  size_t i = from, j = 0;
  while (i < left.size() && j < right.size()) {
    if (left[i].first == right[j].first) {
      if (left[i].count == right[j].count) {
        *in_left = i;
        *in_right = j;
        return true;
      }
      ++i;
      ++j;
    } else {
      ++(left[i].first < right[j].first ? i : j);
    }
  }
  return false;
}

// `tokens` is always what merging symbols [0, end) gives. A window that needs to start further back
// also reaches further ahead, so that the work stays in proportion to the progress.
void BpeMerger::MergeInWindows(TokenWriter* out) {
  const size_t total = symbols_.size();
  size_t end = kWindow, overlap = kOverlap;
  std::vector<Merged> tokens = MergeWithHeap(0, end);
  while (end < total) {
    size_t from = tokens.size() - 1;
    while (from > 0 && tokens[from].first + overlap > end) --from;
    const size_t begin = tokens[from].first;
    const size_t next_end = std::min(total, std::max(begin + kWindow, end + (end - begin)));
    std::vector<Merged> right = MergeWithHeap(begin, next_end);
    size_t in_left = 0, in_right = 0;
    if (FindSeam(tokens, from, right, &in_left, &in_right)) {
      tokens.resize(in_left);
      tokens.insert(tokens.end(), right.begin() + static_cast<ptrdiff_t>(in_right), right.end());
    } else if (from == 0) {
      tokens = std::move(right);  // from the very start: right by definition
    } else {
      overlap *= 2;
      continue;
    }
    end = next_end;
    overlap = kOverlap;
  }
  EmitAll(tokens, out);
}

void BpeMerger::Emit(const Symbol& symbol, TokenWriter* out) {
  const size_t begin = symbol.begin, end = begin + symbol.size;
  const TokenId id = symbol.node == kNoNode ? PieceTable::kNone : trie_.value(symbol.node);
  if (id < 0) {
    out->Add(PieceTable::kNone, begin, end);
  } else if (model_.table_->type(id) == PieceType::kUnused) {
    EmitParts(symbol.begin, symbol.size, out);
  } else if (model_.table_->type(id) == PieceType::kUserDefined && !symbol.frozen) {
    out->Add(PieceTable::kNone, begin, end);
  } else {
    out->Add(id, begin, end);
  }
}

// An unused piece is not a token: it falls apart the way it was put together, as often as needed.
void BpeMerger::EmitParts(uint32_t begin, uint32_t size, TokenWriter* out) {
  std::vector<std::pair<uint32_t, uint32_t>> parts = {{begin, size}};
  while (!parts.empty()) {
    const auto [at, length] = parts.back();
    parts.pop_back();
    const TokenId id = trie_.Find(text_.substr(at, length));
    uint32_t left = 0;
    if (id >= 0 && model_.table_->type(id) == PieceType::kUnused) {
      const auto found = last_split_.find(id);
      left = found != last_split_.end() ? found->second
             : model_.whole_text_       ? 0
                                        : model_.unused_split_[static_cast<size_t>(id)];
      if (left == 0) {
        out->Add(PieceTable::kNone, at, at + length);
        continue;
      }
      parts.emplace_back(at + left, length - left);
      parts.emplace_back(at, left);
      continue;
    }
    const bool normal = id >= 0 && model_.table_->type(id) == PieceType::kNormal;
    out->Add(normal ? id : PieceTable::kNone, at, at + length);
  }
}

BpeModel::BpeModel(std::shared_ptr<const PieceTable> table) : table_(std::move(table)) {
  RankPieces();
  size_t characters = 0;
  for (size_t i = 0; i < table_->size(); ++i) {
    characters += table_->text(static_cast<TokenId>(i)).size();
  }
  pairs_ = CharPairs(std::min(characters / 2, size_t{4} << 20));
  for (size_t i = 0; i < table_->size(); ++i) {
    pairs_.AddPiece(table_->text(static_cast<TokenId>(i)));
  }
  FindUnusedSplits();
}

void BpeModel::RankPieces() {
  std::vector<TokenId> order(table_->size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](TokenId a, TokenId b) { return table_->score(a) > table_->score(b); });
  ranks_.assign(table_->size(), kNoRank);
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && table_->score(order[i]) != table_->score(order[i - 1])) ++rank;
    const PieceType type = table_->type(order[i]);
    if (type == PieceType::kNormal || type == PieceType::kUnused) {
      ranks_[static_cast<size_t>(order[i])] = rank;
    }
  }
}

int BpeModel::CountSplits(std::string_view piece, uint32_t* left) const {
  const auto is_symbol = [&](std::string_view part) {
    if (CharPairs::LengthAt(part, 0) == part.size()) return true;
    const TokenId id = table_->trie().Find(part);
    return id >= 0 && ranks_[static_cast<size_t>(id)] != kNoRank;
  };
  int count = 0;
  for (size_t at = CharPairs::LengthAt(piece, 0); at < piece.size();
       at += CharPairs::LengthAt(piece, at)) {
    if (!is_symbol(piece.substr(0, at)) || !is_symbol(piece.substr(at))) continue;
    *left = static_cast<uint32_t>(at);
    if (++count == 2) break;
  }
  return count;
}

void BpeModel::FindUnusedSplits() {
  if (!table_->has_type(PieceType::kUnused)) return;
  unused_split_.assign(table_->size(), 0);
  for (size_t i = 0; i < table_->size(); ++i) {
    const TokenId id = static_cast<TokenId>(i);
    if (table_->type(id) != PieceType::kUnused) continue;
    if (CountSplits(table_->text(id), &unused_split_[i]) > 1) whole_text_ = true;
  }
}

void BpeModel::Encode(std::string_view text, bool allow_control,
                      std::vector<PieceToken>* out) const {
  const UserPieceMode mode = allow_control ? UserPieceMode::kAll : UserPieceMode::kContentOnly;
  TokenWriter writer(*table_, text, out);
  size_t begin = 0;
  if (text.size() > kShortText && !whole_text_) {
    uint32_t left = CharPairs::CharAt(text, 0);
    for (size_t at = CharPairs::LengthAt(text, 0); at < text.size();) {
      const uint32_t right = CharPairs::CharAt(text, at);
      if (!pairs_.MayJoin(left, right)) {
        writer.StartRun(begin);
        BpeMerger(*this, text.substr(begin, at - begin), mode).Encode(&writer);
        begin = at;
      }
      left = right;
      at += CharPairs::LengthAt(text, at);
    }
  }
  writer.StartRun(begin);
  BpeMerger(*this, text.substr(begin), mode).Encode(&writer);
}

size_t BpeModel::SplitPoint(std::string_view text) const {
  size_t pos = text.size();
  while (!whole_text_ && pos > 0) {
    const size_t right = pos - 1;
    pos = right;
    while (pos > 0 && right - pos < 3 && (text[pos] & '\xC0') == '\x80') --pos;
    if (pos == 0) break;
    size_t left = pos - 1;
    while (left > 0 && pos - left < 4 && (text[left] & '\xC0') == '\x80') --left;
    if (!CutsBetween(CharPairs::CharAt(text.substr(0, pos), left), CharPairs::CharAt(text, pos))) {
      continue;
    }
    const TokenId id = table_->trie().Find(text.substr(left, pos - left));
    if (table_->byte_fallback() || (id >= 0 && table_->type(id) == PieceType::kNormal)) return pos;
  }
  return 0;
}

void BpeModel::Describe(std::string* out) const {
  out->append("sentencepiece.bpe");
  table_->Describe(out);
}

}  // namespace penstock::internal::spm
