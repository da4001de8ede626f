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
// O(text × longest token) worst case, one table look-up a byte where no token begins.
// Immutable; safe to share.
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
  // Where a search stands. A fresh one is at the begin of the text.
  struct Cursor {
    size_t position = 0;
    size_t done = 0;  // end of the last match, white space included
  };
  // Finds the next match after `cursor` and moves it there; false: there is none.
  bool Next(std::string_view text, const Filter* filter, Cursor* cursor, Match* match) const;
  // The last position strictly inside `text` that no match, now or whatever follows, touches or
  // looks at from the other side; 0: none. O(text), fast.
  size_t SplitPoint(std::string_view text) const;
  // Appends the matches in order; they do not overlap. `filter` null: everything is allowed.
  void Find(std::string_view text, const Filter* filter, std::vector<Match>* matches) const;

 private:
  struct Node {
    uint32_t child = 0;  // first child; 0: none (0 is the root)
    uint32_t next = 0;   // next sibling
    int32_t token = -1;
    char byte = 0;
  };
  struct Rules {
    bool single_word, lstrip, rstrip;
  };

  uint32_t Child(uint32_t node, char byte) const;
  // The longest allowed token at `pos`: its index, or -1; `*length` its bytes.
  int32_t LongestAt(std::string_view text, size_t pos, const Filter* filter, size_t* length) const;

  std::vector<Node> nodes_;
  std::array<uint32_t, 256> roots_{};  // child of the root by byte
  std::vector<Rules> rules_;           // by token index
  std::array<bool, 256> used_{};       // bytes of patterns
  std::vector<bool> pairs_;            // by two bytes: do they stand side by side in a pattern?
  bool looks_around_ = false;          // some pattern has single_word, lstrip or rstrip
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_ADDED_TOKEN_MATCHER_H_
