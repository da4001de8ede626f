// SPDX-License-Identifier: Apache-2.0
//
// SentencePiece's segmenting, slow and obviously right, after its papers and sources: BPE by
// scanning all pairs before every merge (sentencepiece bpe_model.cc), unigram by keeping every
// lattice node (unigram_model.cc).
//
//   TwinBpe({{"a", {1, -1}}, {"ab", {2, -2}}}, 0, "▁ab") == ids
#ifndef PENSTOCK_TESTS_SUPPORT_SENTENCEPIECE_TWIN_H_
#define PENSTOCK_TESTS_SUPPORT_SENTENCEPIECE_TWIN_H_

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

struct TwinPiece {
  int id = 0;
  float score = 0;
  bool unused = false;
  bool user_defined = false;
};
using TwinPieces = std::map<std::string, TwinPiece, std::less<>>;

inline size_t TwinCharLength(std::string_view text) {
  const unsigned char lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return std::min(length, text.size());
}

// Runs of unknown symbols become one `unk`.
inline std::vector<int> TwinBpe(const TwinPieces& pieces, int unk, std::string_view text) {
  struct Symbol {
    std::string text;
    bool frozen;
    size_t at;  // position of its first character: the order of ties
  };
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    for (const auto& [piece, value] : pieces) {
      if (value.user_defined && text.substr(i, piece.size()) == piece) {
        length = std::max(length, piece.size());
      }
    }
    const bool frozen = length > 0;
    if (!frozen) length = TwinCharLength(text.substr(i));
    symbols.push_back({std::string(text.substr(i, length)), frozen, symbols.size()});
    i += length;
  }
  // What sentencepiece remembers of unused pieces: the pair seen last.
  std::map<std::string, std::pair<std::string, std::string>> split;
  const auto mergeable = [&](size_t i) -> const TwinPiece* {
    if (i + 1 >= symbols.size() || symbols[i].frozen || symbols[i + 1].frozen) return nullptr;
    const auto found = pieces.find(symbols[i].text + symbols[i + 1].text);
    return found == pieces.end() || found->second.user_defined ? nullptr : &found->second;
  };
  const auto remember = [&](size_t i) {
    const TwinPiece* piece = mergeable(i);
    if (piece != nullptr && piece->unused) {
      split[symbols[i].text + symbols[i + 1].text] = {symbols[i].text, symbols[i + 1].text};
    }
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) remember(i);
  while (true) {
    size_t best = symbols.size();
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const TwinPiece* piece = mergeable(i);
      if (piece == nullptr) continue;
      if (best == symbols.size() || piece->score > mergeable(best)->score) best = i;
    }
    if (best == symbols.size()) break;
    symbols[best].text += symbols[best + 1].text;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    if (best > 0) remember(best - 1);
    remember(best);
  }
  std::vector<int> ids;
  bool after_unknown = false;
  const auto emit = [&](const auto& self, const std::string& piece) -> void {
    const auto found = pieces.find(piece);
    if (found != pieces.end() && found->second.unused && split.count(piece) > 0) {
      const auto parts = split[piece];
      self(self, parts.first);
      self(self, parts.second);
      return;
    }
    const bool unknown = found == pieces.end() || found->second.unused;
    if (!unknown) ids.push_back(found->second.id);
    if (unknown && !after_unknown) ids.push_back(unk);
    after_unknown = unknown;
  };
  for (const Symbol& symbol : symbols) emit(emit, symbol.text);
  return ids;
}

// Wide: the sum that competes is a double (sentencepiece up to 0.2.0), kept as a float.
inline std::vector<int> TwinUnigram(const TwinPieces& pieces, int unk, std::string_view text) {
  float lowest = 3.4e38f;
  size_t longest = 1;
  for (const auto& [piece, value] : pieces) {
    longest = std::max(longest, piece.size());
    if (!value.unused && !value.user_defined) lowest = std::min(lowest, value.score);
  }
  struct Node {
    bool reached = false;
    float score = 0;
    size_t from = 0;
    int id = -1;
  };
  std::vector<Node> nodes(text.size() + 1);
  nodes[0].reached = true;
  for (size_t at = 0; at < text.size(); at += TwinCharLength(text.substr(at))) {
    const size_t character = TwinCharLength(text.substr(at));
    const auto offer = [&](size_t length, double score, int id) {
      Node& node = nodes[at + length];
      if (node.reached && !(score > static_cast<double>(node.score))) return;
      node = {true, static_cast<float>(score), at, id};
    };
    bool single = false;
    for (size_t length = 1; length <= longest && at + length <= text.size(); ++length) {
      const auto found = pieces.find(text.substr(at, length));
      if (found == pieces.end() || found->second.unused) continue;
      const double score = found->second.user_defined ? -0.1 : double{found->second.score};
      offer(length, score + double{nodes[at].score}, found->second.id);
      single = single || length == character;
    }
    if (!single) offer(character, double{lowest - 10.0f + nodes[at].score}, unk);
  }
  std::vector<int> ids;
  for (size_t at = text.size(); at > 0; at = nodes[at].from) {
    if (nodes[at].id != unk || ids.empty() || ids.back() != unk) ids.push_back(nodes[at].id);
  }
  std::reverse(ids.begin(), ids.end());
  return ids;
}

}  // namespace penstock

#endif  // PENSTOCK_TESTS_SUPPORT_SENTENCEPIECE_TWIN_H_
