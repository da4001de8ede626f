// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/pre_tokenizers.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/reference_classes.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "tokenizer/fingerprint.h"
#include "tokenizer/huggingface/byte_chars.h"
#include "tokenizer/huggingface/text_growth.h"
#include "tokenizer/split_grammar.h"
#include "tokenizer/split_pre_tokenizer.h"
#include "tokenizer/text_pattern.h"

namespace penstock::internal {
namespace {

using Rewriter = AlignedText::Rewriter;
using Stage = std::unique_ptr<const PreTokenizer>;

// Rewrites a run piece by piece: f(writer, piece) must consume exactly the piece's bytes. What
// stands between pieces is dropped.
template <typename F>
void RewritePieces(PreTokenizedRun* run, F f) {
  Rewriter w(run->text);
  std::vector<Piece> pieces;
  pieces.reserve(run->pieces.size());
  for (const Piece& piece : run->pieces) {
    w.Skip(piece.begin - w.position());
    const uint32_t begin = static_cast<uint32_t>(w.size());
    f(&w, piece);
    pieces.push_back({begin, static_cast<uint32_t>(w.size())});
  }
  w.Skip(run->text.text().size() - w.position());
  w.Finish(&run->text);
  run->pieces = std::move(pieces);
}

class ByteCharsPreTokenizer final : public PreTokenizer {
 public:
  void Split(const RunContext&, PreTokenizedRun* run) const override {
    const std::string_view from = run->text.text();
    RewritePieces(run, [from](Rewriter* w, Piece piece) {
      std::string chars;
      while (w->position() < piece.end) {
        const size_t size = DecodeUtf8(from.substr(0, piece.end), w->position()).size;
        chars.clear();
        for (size_t i = 0; i < size; ++i) {
          chars.append(ByteChar(static_cast<uint8_t>(from[w->position() + i])));
        }
        w->Replace(size, chars);
      }
    });
  }
  bool rewrites() const override { return true; }
  bool only_rewrites() const override { return true; }
  void Describe(std::string* out) const override { out->append("byte-chars;"); }
};

// ByteLevel's add_prefix_space: every piece begins with a space.
class PrefixSpacePreTokenizer final : public PreTokenizer {
 public:
  void Split(const RunContext& context, PreTokenizedRun* run) const override {
    if (context.continued) return;
    const std::string_view from = run->text.text();
    bool any = false;
    for (const Piece& piece : run->pieces) any |= from[piece.begin] != ' ';
    if (!any) return;
    RewritePieces(run, [from](Rewriter* w, Piece piece) {
      if (from[piece.begin] != ' ') w->Insert(" ", w->AlignmentAt(piece.begin));
      w->Keep(piece.end - piece.begin);
    });
  }
  bool rewrites() const override { return true; }
  bool only_rewrites() const override { return true; }
  void Describe(std::string* out) const override { out->append("prefix-space;"); }
};

class MetaspacePreTokenizer final : public PreTokenizer {
 public:
  enum class Prepend { kFirst, kNever, kAlways };
  MetaspacePreTokenizer(std::string replacement, Prepend prepend, bool split)
      : replacement_(std::move(replacement)), prepend_(prepend), split_(split) {
    if (split_) {
      splitter_ = NewSplitPreTokenizer(NewLiteralPattern(replacement_),
                                       SplitBehavior::kMergedWithNext, /*invert=*/false);
    }
  }

  void Split(const RunContext& context, PreTokenizedRun* run) const override {
    const std::string_view from = run->text.text();
    // Which pieces get the prefix is asked of the original, before it is rewritten.
    std::vector<uint8_t> prefix;
    for (const Piece& piece : run->pieces) {
      const std::string_view text = from.substr(piece.begin, piece.end - piece.begin);
      const bool has = text[0] == ' ' || text.compare(0, replacement_.size(), replacement_) == 0;
      prefix.push_back(!has && !context.continued && WantsPrefix(context, *run, piece));
    }
    size_t index = 0;
    RewritePieces(run, [this, from, &prefix, &index](Rewriter* w, Piece piece) {
      if (prefix[index++]) w->Insert(replacement_, w->AlignmentAt(piece.begin));
      while (w->position() < piece.end) {
        const size_t space = from.substr(0, piece.end).find(' ', w->position());
        const size_t end = space == std::string_view::npos ? piece.end : space;
        w->Keep(end - w->position());
        if (end < piece.end) w->Replace(1, replacement_);
      }
    });
    if (split_) splitter_->Split(context, run);
  }
  bool rewrites() const override { return true; }
  bool only_rewrites() const override { return !split_; }
  // In front of a space: the right side needs no prefix.
  size_t SplitPoint(std::string_view text) const override {
    const size_t space = text.rfind(' ');
    const size_t replacement = text.rfind(replacement_);
    if (space == std::string_view::npos) {
      return replacement == std::string_view::npos ? 0 : replacement;
    }
    return replacement == std::string_view::npos ? space : std::max(space, replacement);
  }
  void Describe(std::string* out) const override {
    out->append("metaspace;");
    DescribeString(replacement_, out);
    DescribeNumber(static_cast<int64_t>(prepend_), out);
    DescribeNumber(split_, out);
  }

 private:
  bool WantsPrefix(const RunContext& context, const PreTokenizedRun& run, Piece piece) const {
    if (prepend_ != Prepend::kFirst) return prepend_ == Prepend::kAlways;
    if (run.text.track() || run.text.identity()) {
      return run.text.OriginalRange(piece.begin, piece.end).begin == 0;
    }
    return context.begin == 0 && piece.begin == 0;
  }

  std::string replacement_;
  Prepend prepend_;
  bool split_;
  Stage splitter_;
};

class FixedLengthPreTokenizer final : public PreTokenizer {
 public:
  explicit FixedLengthPreTokenizer(size_t length) : length_(length) {}
  void Split(const RunContext&, PreTokenizedRun* run) const override {
    const std::string_view text = run->text.text();
    std::vector<Piece> pieces;
    for (const Piece& piece : run->pieces) {
      uint32_t begin = piece.begin;
      size_t chars = 0;
      for (uint32_t pos = piece.begin; pos < piece.end;) {
        pos += DecodeUtf8(text.substr(0, piece.end), pos).size;
        if (++chars == length_ || pos == piece.end) {
          pieces.push_back({begin, pos});
          begin = pos;
          chars = 0;
        }
      }
    }
    run->pieces = std::move(pieces);
  }
  size_t SplitPoint(std::string_view text) const override {
    size_t point = 0;
    size_t chars = 0;
    for (size_t pos = 0; pos < text.size(); ++chars) {
      if (chars % length_ == 0) point = pos;
      pos += DecodeUtf8(text, pos).size;
    }
    return point;
  }
  void Describe(std::string* out) const override {
    out->append("fixed-length;");
    DescribeNumber(static_cast<int64_t>(length_), out);
  }

 private:
  size_t length_;
};

// Cuts where the script changes. Hiragana, Katakana and the long-vowel mark count as Han; a space
// goes with either side.
class UnicodeScriptsPreTokenizer final : public PreTokenizer {
 public:
  void Split(const RunContext&, PreTokenizedRun* run) const override {
    const std::string_view text = run->text.text();
    std::vector<Piece> pieces;
    for (const Piece& piece : run->pieces) {
      bool any_last = false;  // whether there was a script yet
      Script last = Script::kUnknown;
      uint32_t begin = piece.begin;
      bool open = false;  // the reference drops what precedes the first script
      for (uint32_t pos = piece.begin; pos < piece.end;) {
        const DecodedChar c = DecodeUtf8(text.substr(0, piece.end), pos);
        const Script script = FixedScript(c.code_point);
        const bool cut = script != kAny && (!any_last || last != script);
        if (cut) {
          if (open) pieces.push_back({begin, pos});
          begin = pos;
          open = true;
        }
        if (script != kAny) {
          last = script;
          any_last = true;
        }
        pos += c.size;
      }
      if (open) pieces.push_back({begin, piece.end});
    }
    run->pieces = std::move(pieces);
  }
  size_t SplitPoint(std::string_view text) const override {
    size_t point = 0;
    Script last = kAny;
    for (size_t pos = 0; pos < text.size();) {
      const DecodedChar c = DecodeUtf8(text, pos);
      const Script script = FixedScript(c.code_point);
      if (pos > 0 && script != kAny && last != kAny && script != last) point = pos;
      last = script;
      pos += c.size;
    }
    return point;
  }
  void Describe(std::string* out) const override { out->append("unicode-scripts;"); }

 private:
  static constexpr Script kAny = Script::kUnknown;
  static Script FixedScript(char32_t c) {
    if (c == 0x30FC) return Script::kHan;
    if (c == ' ') return kAny;
    const Script script = HuggingFaceScript(c);
    return script == Script::kHiragana || script == Script::kKatakana ? Script::kHan : script;
  }
};

// Whitespace: \w+|[^\w\s]+ of Rust's regex crate; what matches neither is dropped.
class WhitespacePreTokenizer final : public PreTokenizer {
 public:
  void Split(const RunContext&, PreTokenizedRun* run) const override {
    enum class Kind { kSpace, kWord, kOther };
    const std::string_view text = run->text.text();
    std::vector<Piece> pieces;
    for (const Piece& piece : run->pieces) {
      Kind previous = Kind::kSpace;
      for (uint32_t pos = piece.begin; pos < piece.end;) {
        const DecodedChar c = DecodeUtf8(text.substr(0, piece.end), pos);
        const Kind kind = IsWord(c.code_point)         ? Kind::kWord
                          : IsWhiteSpace(c.code_point) ? Kind::kSpace
                                                       : Kind::kOther;
        const uint32_t end = pos + c.size;
        if (kind == previous && kind != Kind::kSpace) {
          pieces.back().end = end;
        } else if (kind != Kind::kSpace) {
          pieces.push_back({pos, end});
        }
        previous = kind;
        pos = end;
      }
    }
    run->pieces = std::move(pieces);
  }
  size_t SplitPoint(std::string_view text) const override {
    size_t point = 0;
    for (size_t pos = 0; pos < text.size();) {
      const DecodedChar c = DecodeUtf8(text, pos);
      if (IsWhiteSpace(c.code_point)) point = pos;
      pos += c.size;
    }
    return point;
  }
  void Describe(std::string* out) const override { out->append("whitespace;"); }
};

class CharDelimiterPreTokenizer final : public PreTokenizer {
 public:
  explicit CharDelimiterPreTokenizer(std::string delimiter)
      : splitter_(NewSplitPreTokenizer(NewLiteralPattern(std::move(delimiter)),
                                       SplitBehavior::kRemoved, false)) {}
  void Split(const RunContext& context, PreTokenizedRun* run) const override {
    splitter_->Split(context, run);
  }
  size_t SplitPoint(std::string_view text) const override { return splitter_->SplitPoint(text); }
  void Describe(std::string* out) const override { splitter_->Describe(out); }

 private:
  Stage splitter_;
};

bool IsSpaceChar(char32_t c) { return IsWhiteSpace(c); }

absl::StatusOr<SplitBehavior> ReadBehavior(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view name, json.String());
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return json.Bad(absl::StrCat("is \"", AbslView(name),
                               "\", expected Removed, Isolated, MergedWithPrevious, "
                               "MergedWithNext or Contiguous"));
}

// A grammar matches everything, so most behaviours keep its pieces as they are.
bool KeepsPieces(SplitBehavior behavior, bool invert) {
  return behavior == SplitBehavior::kIsolated || (behavior == SplitBehavior::kRemoved && invert) ||
         (!invert && (behavior == SplitBehavior::kMergedWithPrevious ||
                      behavior == SplitBehavior::kMergedWithNext));
}

absl::StatusOr<Stage> ReadSplit(const Json& json, const LoadLimits& limits) {
  PENSTOCK_ASSIGN_OR_RETURN(const SplitBehavior behavior, ReadBehavior(json.Get("behavior")));
  PENSTOCK_ASSIGN_OR_RETURN(const bool invert, json.BoolOr("invert", false));
  const Json pattern = json.Get("pattern");
  const Json literal = pattern.Get("String");
  if (literal.exists()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string_view s, literal.String());
    return NewSplitPreTokenizer(NewLiteralPattern(std::string(s)), behavior, invert);
  }
  const Json regex = pattern.Get("Regex");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view source, regex.String());
  const SplitGrammar* grammar = FindGrammar(source);
  if (grammar != nullptr && KeepsPieces(behavior, invert)) return NewGrammarPreTokenizer(grammar);
  absl::StatusOr<std::unique_ptr<const TextPattern>> compiled =
      CompileRegex(source, RegexFlavor::kOniguruma, limits);
  if (!compiled.ok()) {
    return regex.Error(compiled.status().code(), std::string(compiled.status().message()));
  }
  return NewSplitPreTokenizer(*std::move(compiled), behavior, invert);
}

absl::StatusOr<Stage> ReadMetaspace(const Json& json) {
  using Prepend = MetaspacePreTokenizer::Prepend;
  PENSTOCK_ASSIGN_OR_RETURN(const char32_t replacement, json.Get("replacement").Char());
  std::string bytes;
  AppendUtf8(replacement, &bytes);
  const Json scheme_json = json.Get("prepend_scheme");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string scheme, json.StringOr("prepend_scheme", "always"));
  PENSTOCK_ASSIGN_OR_RETURN(const bool add_prefix_space, json.BoolOr("add_prefix_space", true));
  PENSTOCK_ASSIGN_OR_RETURN(const bool split, json.BoolOr("split", true));
  Prepend prepend = Prepend::kAlways;
  if (scheme == "first") {
    prepend = Prepend::kFirst;
  } else if (scheme == "never" || !add_prefix_space) {
    prepend = Prepend::kNever;
  } else if (scheme != "always") {
    return scheme_json.Bad(absl::StrCat("is \"", scheme, "\", expected first, never or always"));
  }
  if (!add_prefix_space && scheme_json.exists() && scheme != "never") {
    return scheme_json.Bad("contradicts add_prefix_space false, expected never");
  }
  return std::make_unique<MetaspacePreTokenizer>(std::move(bytes), prepend, split);
}

absl::StatusOr<Stage> ReadPunctuation(const Json& json) {
  SplitBehavior behavior = SplitBehavior::kIsolated;
  const Json behavior_json = json.Get("behavior");
  if (behavior_json.exists()) {
    PENSTOCK_ASSIGN_OR_RETURN(behavior, ReadBehavior(behavior_json));
  }
  return NewSplitPreTokenizer(NewCharPattern("punctuation", IsHuggingFacePunctuation), behavior,
                              false);
}

Stage NewSpaceSplit() {
  return NewSplitPreTokenizer(NewCharPattern("space", IsSpaceChar), SplitBehavior::kRemoved, false);
}

absl::StatusOr<Stage> ReadDigits(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(const bool individual, json.BoolOr("individual_digits", false));
  return NewSplitPreTokenizer(NewCharPattern("digits", IsHuggingFaceDigit),
                              individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous,
                              false);
}

absl::StatusOr<Stage> ReadFixedLength(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t length, json.IntOr("length", 5));
  if (length < 1) {
    return json.Get("length").Bad(absl::StrCat("is ", length, ", expected at least 1"));
  }
  return std::make_unique<FixedLengthPreTokenizer>(static_cast<size_t>(length));
}

absl::StatusOr<Stage> ReadOne(const Json& json, std::string_view type, const LoadLimits& limits) {
  if (type == "Split") return ReadSplit(json, limits);
  if (type == "Metaspace") return ReadMetaspace(json);
  if (type == "Whitespace") return std::make_unique<WhitespacePreTokenizer>();
  if (type == "WhitespaceSplit") return NewSpaceSplit();
  if (type == "Punctuation") return ReadPunctuation(json);
  if (type == "Digits") return ReadDigits(json);
  if (type == "UnicodeScripts") return std::make_unique<UnicodeScriptsPreTokenizer>();
  if (type == "FixedLength") return ReadFixedLength(json);
  if (type == "CharDelimiterSplit" || type == "Delimiter") {
    PENSTOCK_ASSIGN_OR_RETURN(const char32_t delimiter, json.Get("delimiter").Char());
    std::string bytes;
    AppendUtf8(delimiter, &bytes);
    return std::make_unique<CharDelimiterPreTokenizer>(std::move(bytes));
  }
  if (type == "BertPreTokenizer") {
    std::vector<Stage> stages;
    stages.push_back(NewSpaceSplit());
    stages.push_back(NewSplitPreTokenizer(NewCharPattern("punctuation", IsHuggingFacePunctuation),
                                          SplitBehavior::kIsolated, false));
    return NewPreTokenizerSequence(std::move(stages));
  }
  return json.Error(absl::StatusCode::kUnimplemented,
                    absl::StrCat("pre-tokenizer type \"", AbslView(type), "\" is not known"));
}

// A ByteLevel that more stages follow is carried out in full where it stands.
void FlushByteLevel(PreTokenizerPlan* plan) {
  if (!plan->byte_level_last) return;
  for (Stage& stage : plan->byte_level_split) plan->stages.push_back(std::move(stage));
  plan->stages.push_back(NewByteCharsPreTokenizer());
  plan->byte_level_split.clear();
  plan->byte_level_last = false;
}

absl::Status ReadByteLevel(const Json& json, PreTokenizerPlan* plan, TextGrowth* growth) {
  PENSTOCK_RETURN_IF_ERROR(growth->Times(json, 2));  // a byte may become two
  PENSTOCK_ASSIGN_OR_RETURN(const bool prefix, json.BoolOr("add_prefix_space", true));
  PENSTOCK_ASSIGN_OR_RETURN(const bool use_regex, json.BoolOr("use_regex", true));
  plan->byte_level = true;
  plan->byte_level_last = true;
  if (prefix) plan->byte_level_split.push_back(std::make_unique<PrefixSpacePreTokenizer>());
  if (use_regex) {
    plan->byte_level_split.push_back(NewGrammarPreTokenizer(FindGrammar(kGpt2Pattern)));
  }
  return absl::OkStatus();
}

// Recursion is bounded by the nesting of the file, which JsonDocument limits.
absl::Status ReadInto(const Json& json, const LoadLimits& limits, PreTokenizerPlan* plan,
                      TextGrowth* growth) {
  const Json type_json = json.Get("type");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view type, type_json.String());
  if (type == "Sequence") {
    const Json children = json.Get("pretokenizers");
    return children.ForEachElement(
        [&](const Json& child) { return ReadInto(child, limits, plan, growth); });
  }
  FlushByteLevel(plan);
  if (type == "ByteLevel") return ReadByteLevel(json, plan, growth);
  PENSTOCK_ASSIGN_OR_RETURN(Stage stage, ReadOne(json, type, limits));
  plan->stages.push_back(std::move(stage));
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<const PreTokenizer> NewByteCharsPreTokenizer() {
  return std::make_unique<ByteCharsPreTokenizer>();
}

absl::StatusOr<PreTokenizerPlan> ReadPreTokenizer(const Json& json, const LoadLimits& limits) {
  PreTokenizerPlan plan;
  TextGrowth growth;
  if (!json.is_null()) PENSTOCK_RETURN_IF_ERROR(ReadInto(json, limits, &plan, &growth));
  return plan;
}

}  // namespace penstock::internal
