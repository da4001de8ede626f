// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/normalizers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/normalization.h"
#include "text/reference_classes.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "tokenizer/fingerprint.h"
#include "tokenizer/huggingface/byte_chars.h"
#include "tokenizer/huggingface/precompiled.h"
#include "tokenizer/huggingface/text_growth.h"
#include "tokenizer/text_pattern.h"

namespace penstock::internal {
namespace {

using Rewriter = AlignedText::Rewriter;

DecodedChar Next(const Rewriter& w, std::string_view text) {
  return DecodeUtf8(text, w.position());
}

// Calls f(writer, character) at every character; f keeps, skips or replaces it.
template <typename F>
void RewriteChars(AlignedText* text, F f) {
  const std::string_view from = text->text();
  Rewriter w(*text);
  while (!w.done()) f(&w, Next(w, from));
  w.Finish(text);
}

// Removes the characters for which drop(c) is true.
template <typename F>
void RemoveChars(AlignedText* text, F drop) {
  const std::string_view from = text->text();
  bool any = false;
  for (size_t pos = 0; pos < from.size() && !any;) {
    const DecodedChar c = DecodeUtf8(from, pos);
    any = drop(c.code_point);
    pos += c.size;
  }
  if (!any) return;
  RewriteChars(text, [&drop](Rewriter* w, DecodedChar c) {
    if (drop(c.code_point)) {
      w->Skip(c.size);
    } else {
      w->Keep(c.size);
    }
  });
}

void NormalizeForm(Normalization normalization, AlignedText* text) {
  const std::string_view from = text->text();
  if (NormalizedPrefix(from, normalization) == from.size()) return;
  std::string result;
  std::vector<NormalizedPiece> pieces;
  Normalize(from, normalization, &result, &pieces);
  Rewriter w(*text);
  size_t at = 0;
  for (const NormalizedPiece& piece : pieces) {
    if (piece.kept()) {
      w.Keep(piece.source_bytes);
    } else {
      const Alignment alignment =
          piece.source_bytes == 0
              ? (w.position() == 0 ? Alignment() : w.AlignmentAt(w.position() - 1))
              : w.AlignmentAt(w.position());
      w.Insert(std::string_view(result).substr(at, piece.result_bytes), alignment);
      w.Skip(piece.source_bytes);
    }
    at += piece.result_bytes;
  }
  w.Finish(text);
}

void LowercaseText(AlignedText* text) {
  RewriteChars(text, [](Rewriter* w, DecodedChar c) {
    const LowerCase lower = ToLower(c.code_point);
    if (!c.valid || (lower.size == 1 && lower.code_points[0] == c.code_point)) {
      w->Keep(c.size);
      return;
    }
    std::string bytes;
    for (const char32_t l : lower) AppendUtf8(l, &bytes);
    w->Replace(c.size, bytes);
  });
}

class FormNormalizer final : public Normalizer {
 public:
  explicit FormNormalizer(NormalizationForm form)
      : normalization_(form, NormalizationVersion::kHuggingFace) {}
  void Normalize(const RunContext&, AlignedText* text) const override {
    NormalizeForm(normalization_, text);
  }
  bool IsStableBoundary(std::string_view text, size_t pos) const override {
    return IsNormalizationBoundary(text, pos, normalization_);
  }
  void Describe(std::string* out) const override {
    out->append("form;");
    DescribeNumber(static_cast<int64_t>(normalization_.form), out);
  }

 private:
  Normalization normalization_;
};

class LowercaseNormalizer final : public Normalizer {
 public:
  void Normalize(const RunContext&, AlignedText* text) const override { LowercaseText(text); }
  bool IsStableBoundary(std::string_view, size_t) const override { return true; }
  void Describe(std::string* out) const override { out->append("lowercase;"); }
};

class StripNormalizer final : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  void Normalize(const RunContext& context, AlignedText* text) const override {
    const std::string_view from = text->text();
    size_t begin = 0;
    size_t end = 0;  // of the last character that is not white space
    bool leading = true;
    for (size_t pos = 0; pos < from.size();) {
      const DecodedChar c = DecodeUtf8(from, pos);
      pos += c.size;
      if (c.valid && IsWhiteSpace(c.code_point)) {
        if (leading) begin = pos;
      } else {
        leading = false;
        end = pos;
      }
    }
    if (!left_ || context.continued) begin = 0;
    if (!right_ || context.continues) end = from.size();
    if (end < begin) end = begin;
    if (begin == 0 && end == from.size()) return;
    Rewriter w(*text);
    w.Skip(begin);
    w.Keep(end - begin);
    w.Skip(from.size() - end);
    w.Finish(text);
  }
  // Between two characters that are no white space: neither side strips anything there.
  bool CanSplit(std::string_view text, size_t pos) const override {
    const auto solid = [](char c) { return c > ' ' && c < 0x7F; };
    return solid(text[pos - 1]) && solid(text[pos]);
  }
  void Describe(std::string* out) const override {
    out->append("strip;");
    DescribeNumber(left_ | right_ << 1, out);
  }

 private:
  bool left_, right_;
};

class StripAccentsNormalizer final : public Normalizer {
 public:
  void Normalize(const RunContext&, AlignedText* text) const override {
    RemoveChars(text, IsHuggingFaceAccent);
  }
  bool IsStableBoundary(std::string_view, size_t) const override { return true; }
  void Describe(std::string* out) const override { out->append("strip-accents;"); }
};

class ReplaceNormalizer final : public Normalizer {
 public:
  ReplaceNormalizer(std::unique_ptr<const TextPattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void Normalize(const RunContext&, AlignedText* text) const override {
    std::vector<Piece> matches;
    pattern_->FindAll(text->text(), &matches);
    if (matches.empty()) return;
    Rewriter w(*text);
    for (const Piece& m : matches) {
      w.Keep(m.begin - w.position());
      w.Insert(content_, m.end == 0 ? Alignment() : w.AlignmentAt(m.end - 1));
      w.Skip(m.end - m.begin);
    }
    w.Keep(text->text().size() - w.position());
    w.Finish(text);
  }
  size_t SplitPoint(std::string_view text) const override {
    std::vector<Piece> matches;
    pattern_->FindDecided(text, &matches);
    const std::optional<size_t> longest = pattern_->longest();
    if (!longest.has_value()) {
      const size_t end = matches.empty() ? 0 : matches.back().end;
      return end < text.size() ? end : 0;
    }
    // Anywhere, but inside a match or where one may still begin.
    size_t point = text.size() - std::min(text.size(), *longest);
    while (point > 0 && IsUtf8Continuation(text[point])) --point;
    for (auto m = matches.rbegin(); m != matches.rend() && m->end > point; ++m) {
      if (m->begin < point) point = m->begin;
    }
    return point;
  }
  void Describe(std::string* out) const override {
    out->append("replace;");
    pattern_->Describe(out);
    DescribeString(content_, out);
  }

 private:
  std::unique_ptr<const TextPattern> pattern_;
  std::string content_;
};

class PrependNormalizer final : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  void Normalize(const RunContext& context, AlignedText* text) const override {
    const size_t size = text->text().size();
    if (size == 0 || context.continued) return;
    Rewriter w(*text);
    w.Insert(prefix_, w.AlignmentAt(0));
    w.Keep(size);
    w.Finish(text);
  }
  bool CanSplit(std::string_view, size_t) const override { return true; }
  void Describe(std::string* out) const override {
    out->append("prepend;");
    DescribeString(prefix_, out);
  }

 private:
  std::string prefix_;
};

class NmtNormalizer final : public Normalizer {
 public:
  void Normalize(const RunContext&, AlignedText* text) const override {
    RemoveChars(text, [](char32_t c) {
      return (c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
             c == 0x8F || c == 0x9F;
    });
    RewriteChars(text, [](Rewriter* w, DecodedChar c) {
      if (IsSpaceHere(c.code_point)) {
        w->Replace(c.size, " ");
      } else {
        w->Keep(c.size);
      }
    });
  }
  bool IsStableBoundary(std::string_view, size_t) const override { return true; }
  void Describe(std::string* out) const override { out->append("nmt;"); }

 private:
  static bool IsSpaceHere(char32_t c) {
    return c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  }
};

class BertNormalizer final : public Normalizer {
 public:
  struct Flags {
    bool clean_text, chinese, strip_accents, lowercase;
  };
  explicit BertNormalizer(Flags flags) : flags_(flags) {}
  void Normalize(const RunContext&, AlignedText* text) const override {
    if (flags_.clean_text) CleanText(text);
    if (flags_.chinese) SpaceChinese(text);
    if (flags_.strip_accents) {
      NormalizeForm({NormalizationForm::kNfd, NormalizationVersion::kHuggingFace}, text);
      RemoveChars(text, IsHuggingFaceBertAccent);
    }
    if (flags_.lowercase) LowercaseText(text);
  }
  // In front of a character that stays and that no mark or letter before it joins.
  bool CanSplit(std::string_view text, size_t pos) const override {
    const DecodedChar c = DecodeUtf8(text, pos);
    if (!c.valid || c.code_point == 0 || c.code_point == 0xFFFD ||
        IsHuggingFaceControl(c.code_point)) {
      return false;
    }
    return IsNormalizationBoundary(text, pos,
                                   {NormalizationForm::kNfd, NormalizationVersion::kHuggingFace});
  }
  void Describe(std::string* out) const override {
    out->append("bert;");
    DescribeNumber(
        flags_.clean_text | flags_.chinese << 1 | flags_.strip_accents << 2 | flags_.lowercase << 3,
        out);
  }

 private:
  static void CleanText(AlignedText* text) {
    RemoveChars(text, [](char32_t c) { return c == 0 || c == 0xFFFD || IsHuggingFaceControl(c); });
    RewriteChars(text, [](Rewriter* w, DecodedChar c) {
      if (IsWhiteSpace(c.code_point)) {
        w->Replace(c.size, " ");
      } else {
        w->Keep(c.size);
      }
    });
  }
  static void SpaceChinese(AlignedText* text) {
    const std::string_view from = text->text();
    RewriteChars(text, [from](Rewriter* w, DecodedChar c) {
      if (!IsChinese(c.code_point)) {
        w->Keep(c.size);
        return;
      }
      std::string spaced = " ";
      spaced.append(from.substr(w->position(), c.size));
      spaced.push_back(' ');
      w->Replace(c.size, spaced);
    });
  }
  // Hugging Face's list, typing error of its third extension block included.
  static bool IsChinese(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
  }

  Flags flags_;
};

class ByteLevelNormalizer final : public Normalizer {
 public:
  void Normalize(const RunContext&, AlignedText* text) const override { RewriteToByteChars(text); }
  bool IsStableBoundary(std::string_view, size_t) const override { return true; }
  void Describe(std::string* out) const override { out->append("byte-level;"); }
};

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<const Normalizer>> stages)
      : stages_(std::move(stages)) {}
  void Normalize(const RunContext& context, AlignedText* text) const override {
    for (const auto& stage : stages_) stage->Normalize(context, text);
  }
  std::vector<const Normalizer*> Stages() const override {
    std::vector<const Normalizer*> stages;
    for (const auto& stage : stages_) stages.push_back(stage.get());
    return stages;
  }
  void Describe(std::string* out) const override {
    out->append("sequence;");
    for (const auto& stage : stages_) stage->Describe(out);
  }

 private:
  std::vector<std::unique_ptr<const Normalizer>> stages_;
};

absl::StatusOr<std::unique_ptr<const TextPattern>> ReadPattern(const Json& json,
                                                               const LoadLimits& limits) {
  const Json literal = json.Get("String");
  if (literal.exists()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string_view s, literal.String());
    return NewLiteralPattern(std::string(s));
  }
  const Json regex = json.Get("Regex");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view s, regex.String());
  absl::StatusOr<std::unique_ptr<const TextPattern>> pattern =
      CompileRegex(s, RegexFlavor::kOniguruma, limits);
  if (!pattern.ok()) {
    return regex.Error(pattern.status().code(), std::string(pattern.status().message()));
  }
  return pattern;
}

using Stages = std::vector<std::unique_ptr<const Normalizer>>;

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadBert(const Json& json) {
  BertNormalizer::Flags flags;
  PENSTOCK_ASSIGN_OR_RETURN(flags.clean_text, json.BoolOr("clean_text", true));
  PENSTOCK_ASSIGN_OR_RETURN(flags.chinese, json.BoolOr("handle_chinese_chars", true));
  PENSTOCK_ASSIGN_OR_RETURN(flags.lowercase, json.BoolOr("lowercase", true));
  PENSTOCK_ASSIGN_OR_RETURN(flags.strip_accents, json.BoolOr("strip_accents", flags.lowercase));
  return std::make_unique<BertNormalizer>(flags);
}

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadReplace(const Json& json,
                                                              const LoadLimits& limits,
                                                              TextGrowth* growth) {
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<const TextPattern> pattern,
                            ReadPattern(json.Get("pattern"), limits));
  PENSTOCK_ASSIGN_OR_RETURN(std::string content, json.StringAt("content"));
  PENSTOCK_RETURN_IF_ERROR(growth->Replace(json, *pattern, content.size()));
  return std::make_unique<ReplaceNormalizer>(std::move(pattern), std::move(content));
}

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadStrip(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(const bool left, json.BoolOr("strip_left", true));
  PENSTOCK_ASSIGN_OR_RETURN(const bool right, json.BoolOr("strip_right", true));
  return std::make_unique<StripNormalizer>(left, right);
}

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadPrecompiled(const Json& json,
                                                                  const LoadLimits& limits,
                                                                  TextGrowth* growth) {
  const Json charsmap = json.Get("precompiled_charsmap");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view base64, charsmap.String());
  if (base64.size() / 4 * 3 > limits.max_charsmap_bytes) {
    return charsmap.Error(absl::StatusCode::kResourceExhausted,
                          absl::StrCat(base64.size(), " bytes of base64, expected at most ",
                                       limits.max_charsmap_bytes, " bytes of data"));
  }
  std::string blob;
  if (!absl::Base64Unescape(AbslView(base64), &blob)) return charsmap.Bad("is not base64");
  size_t longest = 0;
  absl::StatusOr<std::unique_ptr<const Normalizer>> normalizer =
      NewPrecompiledNormalizer(blob, &longest);
  if (!normalizer.ok()) {
    return charsmap.Error(normalizer.status().code(), std::string(normalizer.status().message()));
  }
  PENSTOCK_RETURN_IF_ERROR(growth->Times(json, longest));
  return normalizer;
}

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadOne(const Json& json, std::string_view type,
                                                          const LoadLimits& limits,
                                                          TextGrowth* growth) {
  if (type == "NFC") return std::make_unique<FormNormalizer>(NormalizationForm::kNfc);
  if (type == "NFD") return std::make_unique<FormNormalizer>(NormalizationForm::kNfd);
  if (type == "NFKC") return std::make_unique<FormNormalizer>(NormalizationForm::kNfkc);
  if (type == "NFKD") return std::make_unique<FormNormalizer>(NormalizationForm::kNfkd);
  if (type == "BertNormalizer") return ReadBert(json);
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  if (type == "Strip") return ReadStrip(json);
  if (type == "StripAccents") return std::make_unique<StripAccentsNormalizer>();
  if (type == "Replace") return ReadReplace(json, limits, growth);
  if (type == "Nmt") return std::make_unique<NmtNormalizer>();
  if (type == "Precompiled") return ReadPrecompiled(json, limits, growth);
  if (type == "ByteLevel") {
    PENSTOCK_RETURN_IF_ERROR(growth->Times(json, 2));
    return std::make_unique<ByteLevelNormalizer>();
  }
  if (type == "Prepend") {
    PENSTOCK_ASSIGN_OR_RETURN(std::string prefix, json.StringAt("prepend"));
    PENSTOCK_RETURN_IF_ERROR(growth->Times(json, prefix.size() + 1));  // before a single byte
    return std::make_unique<PrependNormalizer>(std::move(prefix));
  }
  return json.Error(absl::StatusCode::kUnimplemented,
                    absl::StrCat("normalizer type \"", AbslView(type), "\" is not known"));
}

// Recursion is bounded by the nesting of the file, which JsonDocument limits.
absl::Status ReadInto(const Json& json, const LoadLimits& limits, bool* byte_level,
                      TextGrowth* growth, Stages* stages) {
  const Json type_json = json.Get("type");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view type, type_json.String());
  if (type == "Sequence") {
    const Json children = json.Get("normalizers");
    return children.ForEachElement(
        [&](const Json& child) { return ReadInto(child, limits, byte_level, growth, stages); });
  }
  *byte_level |= type == "ByteLevel";
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<const Normalizer> stage,
                            ReadOne(json, type, limits, growth));
  stages->push_back(std::move(stage));
  return absl::OkStatus();
}

}  // namespace

void RewriteToByteChars(AlignedText* text) {
  const std::string_view from = text->text();
  RewriteChars(text, [from](Rewriter* w, DecodedChar c) {
    std::string chars;
    for (size_t i = 0; i < c.size; ++i) {
      chars.append(ByteChar(static_cast<uint8_t>(from[w->position() + i])));
    }
    w->Replace(c.size, chars);
  });
}

std::unique_ptr<const Normalizer> NewNfcNormalizer() {
  return std::make_unique<FormNormalizer>(NormalizationForm::kNfc);
}

absl::StatusOr<std::unique_ptr<const Normalizer>> ReadNormalizer(const Json& json,
                                                                 const LoadLimits& limits,
                                                                 bool* byte_level) {
  *byte_level = false;
  if (json.is_null()) return std::unique_ptr<const Normalizer>();
  Stages stages;
  TextGrowth growth;
  PENSTOCK_RETURN_IF_ERROR(ReadInto(json, limits, byte_level, &growth, &stages));
  if (stages.empty()) return std::unique_ptr<const Normalizer>();
  if (stages.size() == 1) return std::move(stages[0]);
  return std::unique_ptr<const Normalizer>(std::make_unique<NormalizerSequence>(std::move(stages)));
}

}  // namespace penstock::internal
