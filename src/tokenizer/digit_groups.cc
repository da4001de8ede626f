// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/digit_groups.h"

#include <string>
#include <utility>
#include <vector>

#include "text/regex_classes.h"
#include "text/utf8.h"
#include "tokenizer/fingerprint.h"

namespace penstock::internal {
namespace {

// What must follow a run: anything but a digit, a character (bytes that are none do not count) or
// the end of the text, or a word boundary.
enum class End : uint8_t { kNoDigit, kOther, kBoundary };

class DigitGroups final : public TextPattern {
 public:
  // `empty`: the places between groups, of which the first must be whole, instead of the groups.
  DigitGroups(std::string source, ClassRegex classes, End end, bool empty)
      : source_(std::move(source)),
        classes_(std::move(classes)),
        end_(end),
        empty_(empty),
        digit_(classes_.KindOf('0')),
        letter_(classes_.KindOf('a')) {}

  void FindAll(std::string_view text, std::vector<Piece>* matches) const override {
    std::string kinds;
    kinds.reserve(text.size());
    classes_.Classify(text, &kinds);
    std::vector<uint32_t> starts;  // of the digits of a run
    size_t pos = 0;
    for (size_t i = 0; i <= kinds.size(); ++i) {
      const bool ends = i == kinds.size();
      if (!ends && Kind(kinds, i) == digit_) {
        starts.push_back(static_cast<uint32_t>(pos));
      } else if (!starts.empty()) {
        if (ends || MayFollow(Kind(kinds, i))) Group(starts, static_cast<uint32_t>(pos), matches);
        starts.clear();
      }
      if (!ends) pos += DecodeUtf8(text, pos).size;
    }
  }
  size_t least_bytes() const override { return empty_ ? 0 : 1; }
  std::optional<size_t> longest() const override { return empty_ ? 0 : 3 * 4; }
  void Describe(std::string* out) const override {
    out->append("regex;");
    DescribeString(source_, out);
  }

 private:
  static uint8_t Kind(const std::string& kinds, size_t i) { return static_cast<uint8_t>(kinds[i]); }
  bool MayFollow(uint8_t kind) const {
    if (end_ == End::kBoundary) return kind != letter_;
    return end_ == End::kNoDigit || kind != ClassRegex::kMalformed;
  }
  void Group(const std::vector<uint32_t>& starts, uint32_t end, std::vector<Piece>* matches) const {
    size_t next = starts.size() % 3;
    if (!empty_ && next != 0) {
      matches->push_back({starts[0], next < starts.size() ? starts[next] : end});
    }
    for (; next < starts.size(); next += 3) {
      const uint32_t begin = starts[next];
      matches->push_back({begin, empty_                     ? begin
                                 : next + 3 < starts.size() ? starts[next + 3]
                                                            : end});
    }
  }

  std::string source_;
  ClassRegex classes_;
  End end_;
  bool empty_;
  uint8_t digit_, letter_;
};

struct Form {
  End end;
  bool empty;
};

std::optional<Form> FormOf(std::string_view pattern) {
  for (const char* open : {"(?:", "("}) {
    for (const std::string digit : {"\\d", "\\p{Nd}", "[0-9]", "\\p{N}"}) {
      const std::string head = digit + "{1,3}(?=" + open + digit + "{3})*";
      const std::string no_digit = "(?!" + digit + ")";
      // Numbers that are no word characters have no boundary of their own.
      if (digit != "\\p{N}" && pattern == head + "\\b)") return Form{End::kBoundary, false};
      const std::string other = "[^" + (digit == "[0-9]" ? "0-9" : digit) + "]";
      if (pattern == head + no_digit + ")") return Form{End::kNoDigit, false};
      if (pattern == head + "(?:" + other + "|$))") return Form{End::kOther, false};
      if (pattern == std::string("(?=") + open + digit + "{3})+" + no_digit + ")") {
        return Form{End::kNoDigit, true};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<const TextPattern> FindDigitGroups(std::string_view pattern, RegexFlavor flavor) {
  const std::optional<Form> form = FormOf(pattern);
  if (!form.has_value()) return nullptr;
  absl::StatusOr<ClassRegex> classes = ClassRegex::Create(pattern, flavor);
  if (!classes.ok()) return nullptr;
  return std::make_unique<DigitGroups>(std::string(pattern), *std::move(classes), form->end,
                                       form->empty);
}

}  // namespace penstock::internal
