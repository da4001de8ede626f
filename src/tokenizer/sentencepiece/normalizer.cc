// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/sentencepiece/normalizer.h"

#include <algorithm>
#include <utility>

#include "tokenizer/sentencepiece/utf8_units.h"

namespace penstock::internal::spm {
namespace {

class StringSink : public NormalizedSink {
 public:
  StringSink(std::string_view input, std::string* out) : input_(input), out_(out) {}
  void Keep(size_t begin, size_t end) override { out_->append(input_.substr(begin, end - begin)); }
  void Put(std::string_view bytes, size_t, size_t) override { out_->append(bytes); }

 private:
  std::string_view input_;
  std::string* out_;
};

}  // namespace

// One call of Normalize(): output passes through here so that trailing spaces can be held back.
class SentencePieceNormalizer::Run {
 public:
  Run(const SentencePieceNormalizer& owner, NormalizedSink* sink) : owner_(owner), sink_(sink) {}

  void Space(size_t begin, size_t end) {
    if (owner_.remove_extra_whitespaces_) {
      held_.push_back({begin, end});
    } else {
      sink_->Put(owner_.space(), begin, end);
    }
  }

  // Output of a unit that is not the unit's own bytes, or may contain spaces.
  void Text(std::string_view text, size_t begin, size_t end) {
    const std::string_view space = owner_.space();
    size_t plain = 0;
    for (size_t i = 0; i < text.size();) {
      const bool is_space = text[i] == ' ';
      if (!is_space && text.substr(i, space.size()) != space) {
        ++i;
        continue;
      }
      Plain(text.substr(plain, i - plain), begin, end);
      Space(begin, end);
      i += is_space ? 1 : space.size();
      plain = i;
    }
    Plain(text.substr(plain), begin, end);
  }

  void Keep(size_t begin, size_t end) {
    Release();
    sink_->Keep(begin, end);
  }

 private:
  void Plain(std::string_view text, size_t begin, size_t end) {
    if (text.empty()) return;
    Release();
    sink_->Put(text, begin, end);
  }
  void Release() {
    for (const auto& [begin, end] : held_) sink_->Put(owner_.space(), begin, end);
    held_.clear();
  }

  const SentencePieceNormalizer& owner_;
  NormalizedSink* sink_;
  std::vector<std::pair<size_t, size_t>> held_;  // spaces that vanish if the text ends here
};

SentencePieceNormalizer::SentencePieceNormalizer(const NormalizerSpec& spec, Charsmap charsmap,
                                                 bool whitespace_as_suffix, UserPieces user_pieces)
    : charsmap_(std::move(charsmap)),
      user_pieces_(std::move(user_pieces)),
      add_dummy_prefix_(spec.add_dummy_prefix),
      remove_extra_whitespaces_(spec.remove_extra_whitespaces),
      escape_whitespaces_(spec.escape_whitespaces),
      whitespace_as_suffix_(whitespace_as_suffix) {
  for (int i = 0; i < 128; ++i) {
    const char byte = static_cast<char>(i);
    const bool ordinary = byte != ' ' && !user_pieces_.Begins(byte);
    plain_[i] = ordinary && !charsmap_.Begins(byte);
    plain_before_ascii_[i] = ordinary && !charsmap_.BeginsAscii(byte);
  }
}

size_t SentencePieceNormalizer::PlainLength(std::string_view rest) const {
  size_t i = 0;
  while (i < rest.size()) {
    const unsigned char byte = static_cast<unsigned char>(rest[i]);
    if (byte >= 128) break;
    const bool before_ascii = i + 1 == rest.size() || static_cast<unsigned char>(rest[i + 1]) < 128;
    if (!(before_ascii ? plain_before_ascii_[byte] : plain_[byte])) break;
    ++i;
  }
  return i;
}

SentencePieceNormalizer::Unit SentencePieceNormalizer::NextUnit(std::string_view rest,
                                                                UserPieceMode mode) const {
  if (const size_t length = user_pieces_.MatchLength(rest, mode); length > 0) {
    return {rest.substr(0, length), length};
  }
  if (const Charsmap::Match match = charsmap_.LongestPrefix(rest); match.length > 0) {
    return {match.replacement, match.length};
  }
  const size_t length = ValidUtf8Length(rest);
  if (length == 0) return {"\xEF\xBF\xBD", 1};
  return {rest.substr(0, length), length};
}

void SentencePieceNormalizer::Normalize(std::string_view input, UserPieceMode mode,
                                        bool dummy_prefix, NormalizedSink* sink) const {
  size_t at = 0;
  if (remove_extra_whitespaces_) {
    while (at < input.size()) {
      const Unit unit = NextUnit(input.substr(at), mode);
      if (unit.text != " ") break;
      at += unit.length;
    }
  }
  if (at == input.size()) return;

  Run run(*this, sink);
  const bool adds_space = add_dummy_prefix_ && dummy_prefix;
  if (adds_space && !whitespace_as_suffix_) run.Space(at, at);
  bool after_space = remove_extra_whitespaces_;
  while (at < input.size()) {
    if (const size_t plain = PlainLength(input.substr(at)); plain > 0) {
      run.Keep(at, at + plain);
      at += plain;
      after_space = false;
      continue;
    }
    const Unit unit = NextUnit(input.substr(at), mode);
    std::string_view text = unit.text;
    while (after_space && !text.empty() && text[0] == ' ') text.remove_prefix(1);
    if (!text.empty()) {
      run.Text(text, at, at + unit.length);
      after_space = remove_extra_whitespaces_ && text.back() == ' ';
    }
    at += unit.length;
  }
  // Not held back: it comes after trailing spaces have gone.
  if (adds_space && whitespace_as_suffix_) sink->Put(space(), at, at);
}

bool SentencePieceNormalizer::StraddledAt(std::string_view text, size_t pos) const {
  const size_t reach = std::max({charsmap_.longest_key(), user_pieces_.longest(), size_t{4}});
  for (size_t back = 1; back < reach && back <= pos; ++back) {
    const std::string_view rest = text.substr(pos - back);
    if (user_pieces_.MatchLength(rest, UserPieceMode::kAll) > back ||
        charsmap_.LongestPrefix(rest).length > back || ValidUtf8Length(rest) > back) {
      return true;
    }
  }
  return false;
}

bool SentencePieceNormalizer::IsStableBoundary(std::string_view text, size_t pos) const {
  if (StraddledAt(text, pos)) return false;
  if (!add_dummy_prefix_ && !remove_extra_whitespaces_) return true;
  if (!add_dummy_prefix_ || !remove_extra_whitespaces_ || whitespace_as_suffix_) return false;
  // "…x| y…": the space that the right side loses at its begin comes back as its dummy prefix.
  const unsigned char left = static_cast<unsigned char>(text[pos - 1]);
  if (left >= 128 || !plain_[left]) return false;
  const Unit space = NextUnit(text.substr(pos), UserPieceMode::kAll);
  if (space.text != " " || space.length != 1 || text[pos] != ' ' || pos + 1 == text.size()) {
    return false;
  }
  const unsigned char right = static_cast<unsigned char>(text[pos + 1]);
  return PlainLength(text.substr(pos + 1)) > 0 || (right < 128 && plain_before_ascii_[right]);
}

bool SentencePieceNormalizer::CanSplit(std::string_view text, size_t pos) const {
  const size_t reach = std::max({charsmap_.longest_key(), user_pieces_.longest(), size_t{4}});
  if (text.size() - pos < reach || StraddledAt(text, pos)) return false;
  if (!remove_extra_whitespaces_) return true;
  // No space on either side that the other one would see.
  size_t left = pos - 1;
  while (left > 0 && pos - left < 4 && (text[left] & '\xC0') == '\x80') --left;
  if (left > 0 && StraddledAt(text, left)) return false;
  const Unit before = NextUnit(text.substr(left), UserPieceMode::kAll);
  const Unit after = NextUnit(text.substr(pos), UserPieceMode::kAll);
  const size_t symbol = before.text.rfind(kSpaceSymbol);
  const bool ends_with_symbol =
      symbol != std::string_view::npos && symbol + kSpaceSymbol.size() == before.text.size();
  return left + before.length == pos && !before.text.empty() && before.text.back() != ' ' &&
         !ends_with_symbol && !after.text.empty() && after.text[0] != ' ';
}

std::string SentencePieceNormalizer::NormalizeToString(std::string_view input,
                                                       UserPieceMode mode) const {
  std::string out;
  StringSink sink(input, &out);
  Normalize(input, mode, /*dummy_prefix=*/true, &sink);
  return out;
}

}  // namespace penstock::internal::spm
