// SPDX-License-Identifier: Apache-2.0
//
// AddedTokenMatcher: finds added tokens in text, leftmost first, the longest at each place
// (Hugging Face's Aho-Corasick "leftmost longest" with its single_word, lstrip and rstrip rules).
//
//   AddedTokenMatcher m({{"<s>", 0}, {"<sep>", 1}}, tokens);      // index into `tokens`
//   m.Find("a <sep>b", allowed, &matches);                        // {begin 2, end 7, token 1}
//
// `allowed` says which token may match where; a token that may not is as if it were not there.
// A match that single_word rejects still uses up its bytes, as in the reference.
// Text is read from right to left by an automaton of the reversed patterns (Aho and Corasick 1975),
// which knows at each place the longest pattern that begins there: O(text) whatever the patterns,
// one table look-up a byte where none ends. Immutable; safe to share.
#ifndef PENSTOCK_SRC_TOKENIZER_ADDED_TOKEN_MATCHER_H_
#define PENSTOCK_SRC_TOKENIZER_ADDED_TOKEN_MATCHER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/tokenizer/added_tokens.h"

namespace penstock::internal {

class AddedTokenMatcher {
 public:
  struct Match {
    size_t begin;  // lstrip and rstrip included
    size_t end;
    uint32_t token;  // index given to the constructor
  };
  // Asked for a candidate at [begin, end) before any stripping.
  class Filter {
   public:
    virtual ~Filter() = default;
    virtual bool Allowed(uint32_t token, size_t begin, size_t end) const = 0;
  };

  // Patterns with the index of their token in `tokens`, which says how it is matched. Of two equal
  // patterns the later one counts.
  AddedTokenMatcher(const std::vector<std::pair<std::string, uint32_t>>& patterns,
                    const std::vector<AddedToken>& tokens);

  bool empty() const { return nodes_.size() == 1; }
  // The longest pattern that begins at `begin` (a node), and behind it the shorter ones.
  struct Hit {
    size_t begin;
    uint32_t node;
  };
  // Where a search stands. A fresh one is at the begin of the text.
  struct Cursor {
    size_t position = 0;
    size_t done = 0;             // end of the last match, white space included
    size_t scanned = 0;          // hits are known up to here,
    std::vector<Hit> hits = {};  // the next one last
    size_t steps = 0;            // of the automaton so far: what a search costs
  };
  // Finds the next match after `cursor` and moves it there; false: there is none.
  bool Next(std::string_view text, const Filter* filter, Cursor* cursor, Match* match) const;
  // The last position strictly inside `text` that no match, now or whatever follows, touches or
  // looks at from the other side; 0: none. O(text), fast.
  size_t SplitPoint(std::string_view text) const;
  // Appends the matches in order; they do not overlap. `filter` null: everything is allowed.
  void Find(std::string_view text, const Filter* filter, std::vector<Match>* matches) const;

 private:
  // In the order of a breadth-first walk: children stand side by side, ordered by byte.
  struct Node {
    uint32_t first_child = 0;
    uint32_t fail = 0;    // the longest other suffix of this text that is a node
    uint32_t output = 0;  // the first of this node, its fail and so on that is a pattern; 0: none
    int32_t token = -1;
    uint16_t children = 0;
    uint8_t byte = 0;
  };
  struct Rules {
    bool single_word, lstrip, rstrip;
  };
  class Builder;

  uint32_t Child(uint32_t node, uint8_t byte) const;
  // Fills hits of the next part of the text. REQUIRES: cursor->scanned < text.size().
  void Scan(std::string_view text, Cursor* cursor) const;
  // The longest allowed pattern of a hit: its token, or -1; `*length` its bytes.
  int32_t LongestAllowed(Hit hit, const Filter* filter, size_t* length) const;

  std::vector<Node> nodes_;
  std::array<uint32_t, 256> roots_{};  // child of the root by byte
  std::vector<Rules> rules_;           // by token index
  std::vector<uint32_t> lengths_;      // of the pattern, by token index
  size_t longest_ = 0;
  std::array<bool, 256> used_{};  // bytes of patterns
  std::vector<bool> pairs_;       // by two bytes: do they stand side by side in a pattern?
  bool looks_around_ = false;     // some pattern has single_word, lstrip or rstrip
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_ADDED_TOKEN_MATCHER_H_
