// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/added_token_matcher.h"

#include <algorithm>

#include "text/unicode.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

// The character that ends at `pos`; invalid bytes are characters of their own.
DecodedChar CharBefore(std::string_view text, size_t pos) {
  for (size_t size = std::min<size_t>(4, pos); size >= 1; --size) {
    const DecodedChar c = DecodeUtf8(text.substr(0, pos), pos - size);
    if (c.valid && c.size == size) return c;
  }
  return {};
}

bool EndsWithWord(std::string_view text, size_t pos) {
  return pos > 0 && IsWord(CharBefore(text, pos).code_point);
}

bool StartsWithWord(std::string_view text, size_t pos) {
  return pos < text.size() && IsWord(DecodeUtf8(text, pos).code_point);
}

size_t SkipSpaceBack(std::string_view text, size_t pos, size_t floor) {
  while (pos > floor) {
    const DecodedChar c = CharBefore(text, pos);
    if (!c.valid || !IsWhiteSpace(c.code_point)) break;
    pos -= c.size;
  }
  return std::max(pos, floor);
}

size_t SkipSpace(std::string_view text, size_t pos) {
  while (pos < text.size()) {
    const DecodedChar c = DecodeUtf8(text, pos);
    if (!c.valid || !IsWhiteSpace(c.code_point)) break;
    pos += c.size;
  }
  return pos;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(const std::vector<std::pair<std::string, uint32_t>>& patterns,
                                     const std::vector<AddedToken>& tokens)
    : nodes_(1), pairs_(1 << 16) {
  rules_.reserve(tokens.size());
  for (const AddedToken& t : tokens) rules_.push_back({t.single_word, t.lstrip, t.rstrip});
  for (const auto& [pattern, token] : patterns) {
    if (pattern.empty()) continue;
    const Rules rules = rules_[token];
    looks_around_ |= rules.single_word || rules.lstrip || rules.rstrip;
    for (size_t i = 0; i < pattern.size(); ++i) {
      const uint8_t byte = static_cast<uint8_t>(pattern[i]);
      used_[byte] = true;
      if (i > 0) pairs_[size_t{static_cast<uint8_t>(pattern[i - 1])} << 8 | byte] = true;
    }
    uint32_t node = 0;
    for (const char byte : pattern) {
      uint32_t child = Child(node, byte);
      if (child == 0) {
        child = static_cast<uint32_t>(nodes_.size());
        Node fresh;
        fresh.byte = byte;
        if (node == 0) {
          roots_[static_cast<uint8_t>(byte)] = child;
        } else {
          fresh.next = nodes_[node].child;
          nodes_[node].child = child;
        }
        nodes_.push_back(fresh);
      }
      node = child;
    }
    // Of equal patterns (normalized ones may be) the first special one counts, else the first.
    int32_t& found = nodes_[node].token;
    if (found < 0 || (tokens[token].special && !tokens[static_cast<size_t>(found)].special)) {
      found = static_cast<int32_t>(token);
    }
  }
}

uint32_t AddedTokenMatcher::Child(uint32_t node, char byte) const {
  if (node == 0) return roots_[static_cast<uint8_t>(byte)];
  uint32_t child = nodes_[node].child;
  while (child != 0 && nodes_[child].byte != byte) child = nodes_[child].next;
  return child;
}

int32_t AddedTokenMatcher::LongestAt(std::string_view text, size_t pos, const Filter* filter,
                                     size_t* length) const {
  int32_t best = -1;
  uint32_t node = 0;
  for (size_t i = pos; i < text.size(); ++i) {
    node = Child(node, text[i]);
    if (node == 0) break;
    const int32_t token = nodes_[node].token;
    if (token >= 0 &&
        (filter == nullptr || filter->Allowed(static_cast<uint32_t>(token), pos, i + 1))) {
      best = token;
      *length = i + 1 - pos;
    }
  }
  return best;
}

bool AddedTokenMatcher::Next(std::string_view text, const Filter* filter, Cursor* cursor,
                             Match* match) const {
  if (empty()) return false;
  for (size_t& pos = cursor->position; pos < text.size();) {
    if (roots_[static_cast<uint8_t>(text[pos])] == 0) {
      ++pos;
      continue;
    }
    size_t length = 0;
    const int32_t token = LongestAt(text, pos, filter, &length);
    if (token < 0) {
      ++pos;
      continue;
    }
    const Rules rules = rules_[static_cast<size_t>(token)];
    size_t begin = pos;
    size_t end = pos + length;
    pos = end;
    if (rules.single_word && (EndsWithWord(text, begin) || StartsWithWord(text, end))) continue;
    if (rules.lstrip) begin = SkipSpaceBack(text, begin, cursor->done);
    if (rules.rstrip) end = SkipSpace(text, end);
    // All of it was white space that the previous match took with it.
    if (begin >= end) continue;
    *match = {begin, end, static_cast<uint32_t>(token)};
    cursor->done = end;
    return true;
  }
  return false;
}

void AddedTokenMatcher::Find(std::string_view text, const Filter* filter,
                             std::vector<Match>* matches) const {
  Cursor cursor;
  for (Match match; Next(text, filter, &cursor, &match);) matches->push_back(match);
}

size_t AddedTokenMatcher::SplitPoint(std::string_view text) const {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t pos = text.size() - 1; pos > 0; --pos) {
    const uint8_t left = byte(pos - 1), right = byte(pos);
    if (IsUtf8Continuation(text[pos])) continue;
    if (looks_around_) {
      // ASCII, no white space, in no pattern: nobody looks across.
      const bool solid = left > ' ' && left < 0x7F && right > ' ' && right < 0x7F;
      if (solid && !used_[left] && !used_[right]) return pos;
    } else if (!pairs_[size_t{left} << 8 | right]) {
      return pos;
    }
  }
  return 0;
}

}  // namespace penstock::internal
