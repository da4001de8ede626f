// SPDX-License-Identifier: Apache-2.0
//
// CompilePcre: regular expressions that we have no scanner for. PCRE2 matches them, but is asked
// nothing about Unicode (text/regex_classes.h): over one byte a character that says which classes
// of the pattern hold it, or, for patterns with back-references, over UTF-8 with classes spelled
// out.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/regex_classes.h"
#include "text/utf8.h"
#include "tokenizer/fingerprint.h"
#include "tokenizer/text_pattern.h"

namespace penstock::internal {
namespace {

constexpr uint32_t kMatchLimit = 1000000;  // backtracking steps of one match
// For the steps that may be taken back, which bounds their nesting too.
constexpr uint32_t kHeapLimitKib = 16384;

struct FreeCode {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
};
struct FreeMatchData {
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
};
struct FreeMatchContext {
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};
struct FreeCompileContext {
  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
};

class PcrePattern final : public TextPattern {
 public:
  PcrePattern(std::string source, std::optional<ClassRegex> kinds,
              std::unique_ptr<pcre2_code, FreeCode> code)
      : source_(std::move(source)), kinds_(std::move(kinds)), code_(std::move(code)) {
    pcre2_set_match_limit(context_.get(), kMatchLimit);
    pcre2_set_heap_limit(context_.get(), kHeapLimitKib);
    looks_ahead_only_ = LooksAheadOnly();
    if (kinds_.has_value()) FindFirstKinds();
    if (kinds_.has_value()) FindSingles();
  }

  void FindAll(std::string_view text, std::vector<Piece>* matches) const override {
    if (text.empty()) return;
    if (!kinds_.has_value()) return FindIn(text, 0, matches);
    FindInKinds(text, 0, matches);
  }
  void FindDecided(std::string_view text, std::vector<Piece>* matches) const override {
    if (kinds_.has_value() && looks_ahead_only_) FindInKinds(text, PCRE2_PARTIAL_HARD, matches);
  }
  size_t least_bytes() const override {
    uint32_t empty = 1;
    pcre2_pattern_info(code_.get(), PCRE2_INFO_MATCHEMPTY, &empty);
    return empty == 0 ? 1 : 0;
  }
  void Describe(std::string* out) const override {
    out->append("regex;");
    DescribeString(source_, out);
  }

 private:
  void FindInKinds(std::string_view text, uint32_t partial, std::vector<Piece>* matches) const {
    std::string kinds;
    kinds.reserve(text.size());
    kinds_->Classify(text, &kinds);
    if (kinds.size() == 1 && partial == 0) {
      const Single single = singles_[static_cast<uint8_t>(kinds[0])];
      if (single == Single::kWhole) matches->push_back({0, static_cast<uint32_t>(text.size())});
      if (single != Single::kOther) return;
    }
    const size_t first = matches->size();
    FindIn(kinds, partial, matches);
    if (kinds.size() == text.size()) return;  // a byte a character
    size_t pos = 0;
    uint32_t count = 0;
    const auto bytes_before = [&](uint32_t characters) {
      for (; count < characters; ++count) pos += DecodeUtf8(text, pos).size;
      return static_cast<uint32_t>(pos);
    };
    for (size_t i = first; i < matches->size(); ++i) {
      Piece& piece = (*matches)[i];
      piece.begin = bytes_before(piece.begin);
      piece.end = bytes_before(piece.end);
    }
  }
  void FindIn(std::string_view text, uint32_t partial, std::vector<Piece>* matches) const {
    std::unique_ptr<pcre2_match_data, FreeMatchData>
        data;  // made for the first call: most have none
    const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    size_t pos = 0;
    std::optional<size_t> last;  // end of the last match
    while (pos <= text.size()) {
      // Most pieces of the later stages of a sequence are not of their kind: cheaper than a call.
      if (!first_kinds_.empty()) {
        while (pos < text.size() && !first_kinds_[static_cast<uint8_t>(text[pos])]) ++pos;
        if (pos == text.size()) return;
      }
      if (data == nullptr) data.reset(pcre2_match_data_create(1, nullptr));
      int found =
          pcre2_match(code_.get(), subject, text.size(), pos, partial, data.get(), context_.get());
      if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
        found = pcre2_match(code_.get(), subject, text.size(), pos, partial | PCRE2_NO_JIT,
                            data.get(), context_.get());
      }
      if (found < 0) return;
      const PCRE2_SIZE* const range = pcre2_get_ovector_pointer(data.get());
      if (range[0] >= range[1] && last == range[1]) {
        // An empty match right behind the last one does not count.
        pos += kinds_.has_value() || pos == text.size() ? 1 : DecodeUtf8(text, pos).size;
        continue;
      }
      last = pos = range[1];
      matches->push_back({static_cast<uint32_t>(range[0]), static_cast<uint32_t>(pos)});
    }
  }

  // Behind a stage that cuts newlines off one by one there are a million such texts a MiB.
  void FindSingles() {
    std::vector<Piece> matches;
    for (size_t kind = 0; kind < singles_.size(); ++kind) {
      matches.clear();
      FindIn(std::string(1, static_cast<char>(kind)), 0, &matches);
      const bool whole = matches.size() == 1 && matches[0].begin == 0 && matches[0].end == 1;
      singles_[kind] = matches.empty() ? Single::kNothing : whole ? Single::kWhole : Single::kOther;
    }
  }

  // What PCRE2 knows of the first byte of any match; nothing if a match may be empty.
  void FindFirstKinds() {
    uint32_t unit = 0;
    const uint8_t* bitmap = nullptr;
    pcre2_pattern_info(code_.get(), PCRE2_INFO_FIRSTBITMAP, &bitmap);
    if (bitmap != nullptr) {
      first_kinds_.resize(256);
      for (size_t kind = 0; kind < 256; ++kind) {
        first_kinds_[kind] = (bitmap[kind / 8] >> (kind % 8) & 1) != 0;
      }
    } else if (pcre2_pattern_info(code_.get(), PCRE2_INFO_FIRSTCODETYPE, &unit) == 0 && unit == 1) {
      pcre2_pattern_info(code_.get(), PCRE2_INFO_FIRSTCODEUNIT, &unit);
      first_kinds_.resize(256);
      first_kinds_[unit & 255] = true;  // kinds have no case
    }
  }

  // Nothing in the pattern asks what stands before a match: no look-behind, no \b, no anchor, no
  // empty match, which does not count behind another.
  bool LooksAheadOnly() const {
    uint32_t empty = 1;
    if (pcre2_pattern_info(code_.get(), PCRE2_INFO_MATCHEMPTY, &empty) != 0 || empty != 0) {
      return false;
    }
    uint32_t behind = 1;
    if (pcre2_pattern_info(code_.get(), PCRE2_INFO_MAXLOOKBEHIND, &behind) != 0 || behind != 0) {
      return false;
    }
    for (size_t at = source_.find('^'); at != std::string::npos; at = source_.find('^', at + 1)) {
      if (at == 0 || source_[at - 1] != '[') return false;
    }
    for (const char* anchor : {"\\A", "\\G", "\\K"}) {
      if (source_.find(anchor) != std::string::npos) return false;
    }
    return true;
  }

  // The matches in a text of one character.
  enum class Single : uint8_t { kNothing, kWhole, kOther };

  std::string source_;
  std::optional<ClassRegex> kinds_;
  std::unique_ptr<pcre2_code, FreeCode> code_;
  // Limits; matching only reads it.
  const std::unique_ptr<pcre2_match_context, FreeMatchContext> context_{
      pcre2_match_context_create(nullptr)};
  bool looks_ahead_only_;
  std::vector<bool> first_kinds_;      // by kind; empty: not known
  std::array<Single, 256> singles_{};  // by kind
};

}  // namespace

absl::StatusOr<std::unique_ptr<const TextPattern>> CompilePcre(std::string_view source,
                                                               RegexFlavor flavor,
                                                               const LoadLimits& limits) {
  if (source.size() > limits.max_pattern_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "pattern of ", source.size(), " bytes, expected at most ", limits.max_pattern_bytes));
  }
  std::optional<ClassRegex> kinds;
  std::string translated;
  uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
  absl::StatusOr<ClassRegex> regex = ClassRegex::Create(source, flavor);
  if (regex.ok()) {
    translated = regex->pattern();
    kinds = *std::move(regex);
  } else {
    PENSTOCK_ASSIGN_OR_RETURN(translated, RewriteClasses(source, flavor));
    options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
  }
  const std::unique_ptr<pcre2_compile_context, FreeCompileContext> context(
      pcre2_compile_context_create(nullptr));
  pcre2_set_parens_nest_limit(context.get(), 128);
  int error = 0;
  PCRE2_SIZE at = 0;
  std::unique_ptr<pcre2_code, FreeCode> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    options | PCRE2_NEVER_BACKSLASH_C, &error, &at, context.get()));
  if (code == nullptr) {
    char message[256];
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof(message));
    return absl::InvalidArgumentError(
        absl::StrCat("pattern \"", AbslView(source), "\": ", message));
  }
  // Without JIT the interpreter runs; slower, the same matches.
  static_cast<void>(pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD));
  return std::unique_ptr<const TextPattern>(
      std::make_unique<PcrePattern>(std::string(source), std::move(kinds), std::move(code)));
}

}  // namespace penstock::internal
