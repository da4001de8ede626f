// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/text_pattern.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "text/utf8.h"
#include "tokenizer/digit_groups.h"
#include "tokenizer/fingerprint.h"
#include "tokenizer/split_grammar.h"

namespace penstock::internal {
namespace {

class LiteralPattern final : public TextPattern {
 public:
  explicit LiteralPattern(std::string literal) : literal_(std::move(literal)) {}
  void FindAll(std::string_view text, std::vector<Piece>* matches) const override {
    if (literal_.empty() && !text.empty()) return FindEmpty(text, matches);
    for (size_t at = text.empty() ? text.npos : text.find(literal_); at != text.npos;
         at = text.find(literal_, at + literal_.size())) {
      matches->push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + literal_.size())});
    }
  }
  void FindDecided(std::string_view text, std::vector<Piece>* matches) const override {
    if (!literal_.empty()) FindAll(text, matches);
  }
  std::optional<size_t> longest() const override {
    return literal_.empty() ? std::nullopt : std::optional<size_t>(literal_.size());
  }
  size_t least_bytes() const override { return literal_.size(); }
  void Describe(std::string* out) const override {
    out->append("literal;");
    DescribeString(literal_, out);
  }

 private:
  static void FindEmpty(std::string_view text, std::vector<Piece>* matches) {
    for (size_t pos = 0; pos < text.size(); pos += DecodeUtf8(text, pos).size) {
      matches->push_back({static_cast<uint32_t>(pos), static_cast<uint32_t>(pos)});
    }
    const uint32_t size = static_cast<uint32_t>(text.size());
    matches->push_back({size, size});
  }

  std::string literal_;
};

class CharPattern final : public TextPattern {
 public:
  CharPattern(std::string name, bool (*matches)(char32_t))
      : name_(std::move(name)), matches_(matches) {}
  void FindAll(std::string_view text, std::vector<Piece>* matches) const override {
    for (size_t pos = 0; pos < text.size();) {
      const DecodedChar c = DecodeUtf8(text, pos);
      if (matches_(c.code_point)) {
        matches->push_back({static_cast<uint32_t>(pos), static_cast<uint32_t>(pos + c.size)});
      }
      pos += c.size;
    }
  }
  void FindDecided(std::string_view text, std::vector<Piece>* matches) const override {
    FindAll(text, matches);
  }
  void Describe(std::string* out) const override {
    out->append("chars;");
    DescribeString(name_, out);
  }

 private:
  std::string name_;
  bool (*matches_)(char32_t);
};

class GrammarPattern final : public TextPattern {
 public:
  explicit GrammarPattern(const SplitGrammar* grammar) : grammar_(grammar) {}
  void FindAll(std::string_view text, std::vector<Piece>* matches) const override {
    for (size_t pos = 0; pos < text.size();) {
      const size_t end = grammar_->NextPiece(text, pos);
      matches->push_back({static_cast<uint32_t>(pos), static_cast<uint32_t>(end)});
      pos = end;
    }
  }
  void Describe(std::string* out) const override {
    out->append("grammar;");
    DescribeString(grammar_->name(), out);
  }

 private:
  const SplitGrammar* grammar_;
};

}  // namespace

std::unique_ptr<const TextPattern> NewLiteralPattern(std::string literal) {
  return std::make_unique<LiteralPattern>(std::move(literal));
}

std::unique_ptr<const TextPattern> NewCharPattern(std::string name, bool (*matches)(char32_t)) {
  return std::make_unique<CharPattern>(std::move(name), matches);
}

absl::StatusOr<std::unique_ptr<const TextPattern>> CompileRegex(std::string_view source,
                                                                RegexFlavor flavor,
                                                                const LoadLimits& limits) {
  const SplitGrammar* grammar = FindGrammar(source);
  if (grammar == nullptr) {
    std::unique_ptr<const TextPattern> groups = FindDigitGroups(source, flavor);
    if (groups != nullptr) return groups;
    return CompilePcre(source, flavor, limits);
  }
  return std::unique_ptr<const TextPattern>(std::make_unique<GrammarPattern>(grammar));
}

}  // namespace penstock::internal
