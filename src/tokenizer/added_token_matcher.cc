// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/added_token_matcher.h"

#include <algorithm>
#include <iterator>

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

constexpr size_t kLeastScan = size_t{16} << 10;

}  // namespace

// The trie while it grows: children are a list.
class AddedTokenMatcher::Builder {
 public:
  // The node at the end of the reversed pattern.
  uint32_t Add(std::string_view pattern) {
    uint32_t node = 0;
    for (size_t i = pattern.size(); i-- > 0;) node = ChildOf(node, pattern[i]);
    return node;
  }
  int32_t& TokenOf(uint32_t node) { return links_[node].token; }
  std::vector<Node> Finish() const;

 private:
  struct Link {
    uint32_t child = 0;  // 0: none (0 is the root)
    uint32_t next = 0;   // sibling
    int32_t token = -1;
    char byte = 0;
  };
  uint32_t ChildOf(uint32_t node, char byte) {
    if (node == 0) {
      uint32_t& child = roots_[static_cast<uint8_t>(byte)];
      return child != 0 ? child : child = New(byte, 0);
    }
    for (uint32_t child = links_[node].child; child != 0; child = links_[child].next) {
      if (links_[child].byte == byte) return child;
    }
    const uint32_t child = New(byte, links_[node].child);
    return links_[node].child = child;
  }
  uint32_t New(char byte, uint32_t next) {
    links_.push_back({0, next, -1, byte});
    return static_cast<uint32_t>(links_.size() - 1);
  }

  std::vector<Link> links_{1};
  std::array<uint32_t, 256> roots_{};
};

std::vector<AddedTokenMatcher::Node> AddedTokenMatcher::Builder::Finish() const {
  std::vector<Node> nodes(1);
  nodes.reserve(links_.size());
  std::vector<uint32_t> link_of = {0};
  link_of.reserve(links_.size());
  std::vector<uint32_t> children;
  for (size_t i = 0; i < nodes.size(); ++i) {
    children.clear();
    if (i == 0) {
      std::copy_if(roots_.begin(), roots_.end(), std::back_inserter(children),
                   [](uint32_t child) { return child != 0; });
    }
    for (uint32_t c = links_[link_of[i]].child; i != 0 && c != 0; c = links_[c].next) {
      children.push_back(c);
    }
    const auto byte = [this](uint32_t link) { return static_cast<uint8_t>(links_[link].byte); };
    std::sort(children.begin(), children.end(),
              [&](uint32_t a, uint32_t b) { return byte(a) < byte(b); });
    nodes[i].first_child = static_cast<uint32_t>(nodes.size());
    nodes[i].children = static_cast<uint16_t>(children.size());
    for (const uint32_t link : children) {
      Node node;
      node.token = links_[link].token;
      node.byte = byte(link);
      nodes.push_back(node);
      link_of.push_back(link);
    }
  }
  return nodes;
}

AddedTokenMatcher::AddedTokenMatcher(const std::vector<std::pair<std::string, uint32_t>>& patterns,
                                     const std::vector<AddedToken>& tokens)
    : lengths_(tokens.size()), pairs_(1 << 16) {
  rules_.reserve(tokens.size());
  for (const AddedToken& t : tokens) rules_.push_back({t.single_word, t.lstrip, t.rstrip});
  Builder builder;
  for (const auto& [pattern, token] : patterns) {
    if (pattern.empty()) continue;
    const Rules rules = rules_[token];
    looks_around_ |= rules.single_word || rules.lstrip || rules.rstrip;
    for (size_t i = 0; i < pattern.size(); ++i) {
      const uint8_t byte = static_cast<uint8_t>(pattern[i]);
      used_[byte] = true;
      if (i > 0) pairs_[size_t{static_cast<uint8_t>(pattern[i - 1])} << 8 | byte] = true;
    }
    lengths_[token] = static_cast<uint32_t>(pattern.size());
    longest_ = std::max(longest_, pattern.size());
    // Of equal patterns (normalized ones may be) the first special one counts, else the first.
    int32_t& found = builder.TokenOf(builder.Add(pattern));
    if (found < 0 || (tokens[token].special && !tokens[static_cast<size_t>(found)].special)) {
      found = static_cast<int32_t>(token);
    }
  }
  nodes_ = builder.Finish();
  for (uint32_t i = 0; i < nodes_[0].children; ++i) {
    roots_[nodes_[nodes_[0].first_child + i].byte] = nodes_[0].first_child + i;
  }
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    Node& n = nodes_[node];
    n.output = n.token >= 0 ? node : nodes_[n.fail].output;
    for (uint32_t child = n.first_child; child < n.first_child + n.children; ++child) {
      uint32_t fail = node;
      uint32_t next = 0;
      while (next == 0 && fail != 0) {
        fail = nodes_[fail].fail;
        next = Child(fail, nodes_[child].byte);
      }
      nodes_[child].fail = next;
    }
  }
}

uint32_t AddedTokenMatcher::Child(uint32_t node, uint8_t byte) const {
  if (node == 0) return roots_[byte];
  uint32_t first = nodes_[node].first_child;
  uint32_t count = nodes_[node].children;
  while (count > 4) {
    const uint32_t half = count / 2;
    if (nodes_[first + half].byte <= byte) first += half;
    count -= half;
  }
  for (uint32_t child = first; child < first + count; ++child) {
    if (nodes_[child].byte == byte) return child;
  }
  return 0;
}

void AddedTokenMatcher::Scan(std::string_view text, Cursor* cursor) const {
  const size_t begin = cursor->scanned;
  // Patterns that begin in this part may end behind it.
  const size_t end = std::min(text.size(), begin + std::max(kLeastScan, 8 * longest_));
  cursor->hits.clear();
  cursor->scanned = end;
  uint32_t node = 0;
  for (size_t pos = std::min(text.size(), end + longest_ - 1); pos-- > begin;) {
    const uint8_t byte = static_cast<uint8_t>(text[pos]);
    uint32_t next = Child(node, byte);
    if (next == 0 && node == 0) continue;
    ++cursor->steps;
    while (next == 0 && node != 0) {
      node = nodes_[node].fail;
      next = Child(node, byte);
      ++cursor->steps;
    }
    node = next;
    if (nodes_[node].output != 0 && pos < end) cursor->hits.push_back({pos, nodes_[node].output});
  }
}

int32_t AddedTokenMatcher::LongestAllowed(Hit hit, const Filter* filter, size_t* length) const {
  for (uint32_t node = hit.node; node != 0; node = nodes_[nodes_[node].fail].output) {
    const uint32_t token = static_cast<uint32_t>(nodes_[node].token);
    *length = lengths_[token];
    if (filter == nullptr || filter->Allowed(token, hit.begin, hit.begin + *length)) {
      return nodes_[node].token;
    }
  }
  return -1;
}

bool AddedTokenMatcher::Next(std::string_view text, const Filter* filter, Cursor* cursor,
                             Match* match) const {
  if (empty()) return false;
  for (size_t& pos = cursor->position; pos < text.size();) {
    if (cursor->hits.empty()) {
      if (cursor->scanned >= text.size()) return false;
      cursor->scanned = std::max(cursor->scanned, pos);
      Scan(text, cursor);
      continue;
    }
    const Hit hit = cursor->hits.back();
    cursor->hits.pop_back();
    if (hit.begin < pos) continue;
    pos = hit.begin;
    size_t length = 0;
    const int32_t token = LongestAllowed(hit, filter, &length);
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
