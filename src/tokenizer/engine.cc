// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "penstock/base/status_macros.h"
#include "text/unicode.h"
#include "text/utf8.h"
#include "tokenizer/added_token_matcher.h"
#include "tokenizer/assemble.h"
#include "tokenizer/decode.h"
#include "tokenizer/fingerprint.h"
#include "tokenizer/provenance.h"
#include "tokenizer/stream_encoder.h"

namespace penstock::internal {
namespace {

constexpr size_t kCountInParts = size_t{64} << 10;  // longer texts need not be kept to be counted

bool IsWhiteSpaceOnly(std::string_view s) {
  for (size_t pos = 0; pos < s.size();) {
    const DecodedChar c = DecodeUtf8(s, pos);
    if (!c.valid || !IsWhiteSpace(c.code_point)) return false;
    pos += c.size;
  }
  return !s.empty();
}

// Matching rules for the raw text (step 1 of engine.h).
class RawFilter final : public AddedTokenMatcher::Filter {
 public:
  RawFilter(const Provenance& provenance, const std::vector<uint8_t>& control)
      : provenance_(provenance), control_(control) {}
  bool Allowed(uint32_t token, size_t begin, size_t end) const override {
    return control_[token] == 0 || provenance_.OneTrusted(begin, end);
  }

 private:
  const Provenance& provenance_;
  const std::vector<uint8_t>& control_;
};

// The same for normalized text: what counts is where the bytes came from.
class NormalizedFilter final : public AddedTokenMatcher::Filter {
 public:
  NormalizedFilter(const Provenance& provenance, const std::vector<uint8_t>& control,
                   const AlignedText& text)
      : provenance_(provenance), control_(control), text_(text) {}
  bool Allowed(uint32_t token, size_t begin, size_t end) const override {
    if (control_[token] == 0) return true;
    if (!provenance_.any_trusted()) return false;
    if (provenance_.one_trusted()) return true;
    const ByteRange range = text_.OriginalRange(begin, end);
    return provenance_.OneTrusted(range.begin, range.end);
  }

 private:
  const Provenance& provenance_;
  const std::vector<uint8_t>& control_;
  const AlignedText& text_;
};

class EngineTokenizer final : public Tokenizer, public TokenizerEngine {
 public:
  explicit EngineTokenizer(EngineParts parts);

  const Vocabulary& vocabulary() const override { return parts_.vocabulary; }
  std::string_view fingerprint() const override { return fingerprint_.Get(parts_); }
  const TokenizerEngine* engine() const override { return this; }
  size_t Count(std::string_view plain_text) const override;
  absl::Status EncodeTo(std::string_view plain_text, StreamEncoder::Sink* sink,
                        size_t window) const override {
    return StreamEncoder(parts_, *raw_content_, *normalized_content_, added_, sink, window)
        .Run(plain_text);
  }

  const EngineParts& parts() const override { return parts_; }
  bool has_safe_cuts() const override { return safe_cuts_; }

 private:
  friend class TextEncoder;
  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>* second,
                        const EncodeOptions& options, Encoding* encoding) const override;
  std::string DoDecode(absl::Span<const TokenId> ids, const DecodeOptions& options) const override {
    return DecodeTokens(parts_, ids, options);
  }
  void BuildMatchers();

  EngineParts parts_;
  LazyFingerprint fingerprint_;
  std::vector<AddedToken> added_;  // the vocabulary's
  std::vector<uint8_t> control_;   // by index into added_
  std::unique_ptr<const AddedTokenMatcher> raw_, raw_content_, normalized_, normalized_content_;
  bool safe_cuts_ = false;
};

// Encodes one text; lives for one call.
class TextEncoder {
 public:
  TextEncoder(const EngineTokenizer& tokenizer, const Provenance& provenance,
              const EncodeOptions& options, TokenRun* out)
      : t_(tokenizer),
        provenance_(provenance),
        out_(out),
        plain_(options.added_tokens == AddedTokenMatching::kReferencePlain),
        offsets_(options.offsets),
        cuts_(options.safe_cuts && tokenizer.safe_cuts_),
        track_(options.offsets || cuts_ ||
               (provenance.any_trusted() && !provenance.one_trusted())) {}

  void Run();

 private:
  void Token(const AddedToken& token, ByteRange range, std::string_view as);
  void PlainRun(size_t begin, size_t end);
  void NormalizedRun(AlignedText* text, bool ends_text);
  void Pieces(AlignedText text, bool begins_run, bool ends_text);
  void Emit(const PreTokenizedRun& run, const Piece& piece, bool allow_control);
  void Cut(size_t byte);
  void CutBetween(const PreTokenizedRun& run, const Piece& before, const Piece& after);

  const EngineTokenizer& t_;
  const Provenance& provenance_;
  TokenRun* out_;
  const bool plain_, offsets_, cuts_, track_;
  PreTokenizedRun run_{AlignedText({}, 0, false), {}};
  std::vector<PieceToken> tokens_;
};

void TextEncoder::Run() {
  const std::string_view text = provenance_.text();
  const AddedTokenMatcher& matcher = provenance_.any_trusted() ? *t_.raw_ : *t_.raw_content_;
  std::vector<AddedTokenMatcher::Match> matches;
  if (!plain_ && !matcher.empty()) {
    const RawFilter filter(provenance_, t_.control_);
    const bool everything = provenance_.one_trusted() || !provenance_.any_trusted();
    matcher.Find(text, everything ? nullptr : &filter, &matches);
  }
  size_t done = 0;
  for (const AddedTokenMatcher::Match& match : matches) {
    if (match.begin > done) PlainRun(done, match.begin);
    Token(t_.added_[match.token], {match.begin, match.end},
          text.substr(match.begin, match.end - match.begin));
    done = match.end;
  }
  if (done < text.size()) PlainRun(done, text.size());
  // The end of the text is a cut that everybody knows of.
  while (!out_->cuts.empty() && out_->cuts.back().byte >= text.size()) out_->cuts.pop_back();
}

void TextEncoder::Token(const AddedToken& token, ByteRange range, std::string_view as) {
  const bool independent = !token.lstrip && !token.rstrip && !token.single_word &&
                           (!token.normalized || t_.parts_.normalizer == nullptr);
  if (independent) Cut(range.begin);
  if (offsets_) {
    if (!t_.parts_.post_processor.trims.empty()) out_->matched.emplace_back(out_->ids.size(), as);
    out_->offsets.push_back(range);
  }
  out_->ids.push_back(token.id);
  if (independent) Cut(range.end);
}

void TextEncoder::Cut(size_t byte) {
  if (!cuts_ || byte == 0) return;
  if (!out_->cuts.empty() && out_->cuts.back().byte >= byte) return;
  out_->cuts.push_back({byte, out_->ids.size()});
}

void TextEncoder::PlainRun(size_t begin, size_t end) {
  AlignedText text(provenance_.text().substr(begin, end - begin), begin, track_);
  const bool ends_text = end == provenance_.text().size();
  if (t_.parts_.invalid_utf8 == InvalidUtf8::kReplace) ReplaceInvalidUtf8(&text);
  if (t_.parts_.normalizer != nullptr) {
    RunContext context;
    context.begin = begin;
    context.ends_text = ends_text;
    context.allow_control = provenance_.OneTrusted(begin, end);
    context.reference_plain = plain_;
    t_.parts_.normalizer->Normalize(context, &text);
  }
  NormalizedRun(&text, ends_text);
}

void TextEncoder::NormalizedRun(AlignedText* text, bool ends_text) {
  const AddedTokenMatcher& matcher =
      provenance_.any_trusted() ? *t_.normalized_ : *t_.normalized_content_;
  if (plain_ || matcher.empty()) {
    Pieces(std::move(*text), true, ends_text);
    return;
  }
  const NormalizedFilter filter(provenance_, t_.control_, *text);
  std::vector<AddedTokenMatcher::Match> matches;
  matcher.Find(text->text(), &filter, &matches);
  if (matches.empty()) {
    Pieces(std::move(*text), true, ends_text);
    return;
  }
  size_t done = 0;
  const size_t size = text->text().size();
  for (const AddedTokenMatcher::Match& match : matches) {
    if (match.begin > done) Pieces(text->Slice(done, match.begin), done == 0, false);
    const bool known = track_ || text->identity();
    Token(t_.added_[match.token], known ? text->OriginalRange(match.begin, match.end) : ByteRange(),
          text->text().substr(match.begin, match.end - match.begin));
    done = match.end;
  }
  if (done < size) Pieces(text->Slice(done, size), done == 0, ends_text);
}

void TextEncoder::Pieces(AlignedText text, bool begins_run, bool ends_text) {
  const size_t size = text.text().size();
  if (size == 0) return;
  RunContext context;
  const bool known = track_ || text.identity();
  const ByteRange whole =
      known ? text.OriginalRange(0, size) : ByteRange{text.base() + (begins_run ? 0 : 1), 0};
  context.begin = whole.begin;
  context.ends_text = ends_text;
  // The references' plain mode knows no provenance: a model makes of the text whatever it can.
  context.allow_control = plain_ || (known ? provenance_.OneTrusted(whole.begin, whole.end)
                                           : provenance_.one_trusted());
  context.reference_plain = plain_;
  run_.text = std::move(text);
  run_.pieces.clear();
  run_.pieces.push_back({0, static_cast<uint32_t>(size)});
  if (t_.parts_.pre_tokenizer != nullptr) t_.parts_.pre_tokenizer->Split(context, &run_);
  const bool mixed = provenance_.any_trusted() && !context.allow_control;
  for (size_t i = 0; i < run_.pieces.size(); ++i) {
    const Piece& piece = run_.pieces[i];
    bool allow_control = context.allow_control;
    if (mixed) {
      const ByteRange range = run_.text.OriginalRange(piece.begin, piece.end);
      allow_control = provenance_.OneTrusted(range.begin, range.end);
    }
    if (i > 0) CutBetween(run_, run_.pieces[i - 1], piece);
    Emit(run_, piece, allow_control);
  }
}

void TextEncoder::CutBetween(const PreTokenizedRun& run, const Piece& before, const Piece& after) {
  if (!cuts_ || before.end != after.begin) return;
  if (!t_.parts_.pre_tokenizer->IsStableBoundary(run.text.text(), after.begin)) return;
  const size_t byte = run.text.OriginalRange(after.begin, after.end).begin;
  if (t_.parts_.normalizer != nullptr) {
    // Both sides must agree on where in the original the boundary lies.
    const ByteRange left = run.text.OriginalRange(before.begin, before.end);
    if (left.end != byte) return;
    const std::string_view original = run.text.original();
    const size_t at = byte - run.text.base();
    if (at == 0 || at >= original.size() || !t_.parts_.normalizer->IsStableBoundary(original, at)) {
      return;
    }
  }
  Cut(byte);
}

void TextEncoder::Emit(const PreTokenizedRun& run, const Piece& piece, bool allow_control) {
  tokens_.clear();
  t_.parts_.model->Encode(run.text.text().substr(piece.begin, piece.end - piece.begin),
                          allow_control, &tokens_);
  for (const PieceToken& token : tokens_) out_->ids.push_back(token.id);
  if (!offsets_) return;
  const TokenId verbatim =
      t_.parts_.post_processor.trims.empty() ? -1 : t_.parts_.model->verbatim_token();
  for (const PieceToken& token : tokens_) {
    const size_t limit = run.text.text().size();
    const size_t end = std::min<size_t>(piece.begin + token.end, limit);
    const size_t begin = std::min<size_t>(piece.begin + token.begin, end);
    if (token.id == verbatim) {
      out_->matched.emplace_back(out_->offsets.size(), run.text.text().substr(begin, end - begin));
    }
    out_->offsets.push_back(run.text.OriginalRange(begin, end));
  }
}

EngineTokenizer::EngineTokenizer(EngineParts parts) : parts_(std::move(parts)) {
  const absl::Span<const AddedToken> added = parts_.vocabulary.added_tokens();
  added_.assign(added.begin(), added.end());
  for (const AddedToken& t : added_) {
    control_.push_back(t.token_class == AddedTokenClass::kControl);
  }
  BuildMatchers();
  // Whether a boundary is stable is asked case by case; here only what rules out all of them.
  safe_cuts_ = parts_.pre_tokenizer != nullptr && !parts_.pre_tokenizer->rewrites();
}

void EngineTokenizer::BuildMatchers() {
  using Patterns = std::vector<std::pair<std::string, uint32_t>>;
  Patterns raw, raw_content, normalized, normalized_content;
  for (uint32_t i = 0; i < added_.size(); ++i) {
    const AddedToken& token = added_[i];
    std::string pattern = token.content;
    if (token.normalized && parts_.normalizer != nullptr) {
      AlignedText text(token.content, 0, false);
      parts_.normalizer->Normalize(RunContext(), &text);
      pattern = std::string(text.text());
    }
    Patterns& all = token.normalized ? normalized : raw;
    all.emplace_back(pattern, i);
    if (control_[i]) continue;
    (token.normalized ? normalized_content : raw_content).emplace_back(pattern, i);
  }
  raw_ = std::make_unique<AddedTokenMatcher>(raw, added_);
  raw_content_ = std::make_unique<AddedTokenMatcher>(raw_content, added_);
  normalized_ = std::make_unique<AddedTokenMatcher>(normalized, added_);
  normalized_content_ = std::make_unique<AddedTokenMatcher>(normalized_content, added_);
}

size_t EngineTokenizer::Count(std::string_view plain_text) const {
  if (plain_text.size() > kCountInParts) {
    size_t count = 0;
    StreamEncoder::Sink sink = [&count](absl::Span<const TokenId> ids) {
      count += ids.size();
      return absl::OkStatus();
    };
    const absl::Status status = EncodeTo(plain_text, &sink, kCountInParts);
    PENSTOCK_CHECK(status.ok());
    return count;
  }
  const Segment segment = Untrusted(plain_text);
  const Provenance provenance(absl::MakeConstSpan(&segment, 1));
  TokenRun run;
  TextEncoder(*this, provenance, EncodeOptions(), &run).Run();
  return run.ids.size();
}

absl::Status EngineTokenizer::DoEncode(absl::Span<const Segment> first,
                                       const absl::Span<const Segment>* second,
                                       const EncodeOptions& options, Encoding* encoding) const {
  EncodeOptions inner = options;
  inner.safe_cuts = options.safe_cuts && second == nullptr && !options.truncation.has_value() &&
                    !options.add_special_tokens;
  TokenRun runs[2];
  const absl::Span<const Segment> texts[2] = {first, second == nullptr ? first : *second};
  for (int i = 0; i < (second == nullptr ? 1 : 2); ++i) {
    const Provenance provenance(texts[i]);
    TextEncoder(*this, provenance, inner, &runs[i]).Run();
    if (options.offsets && !parts_.post_processor.trims.empty()) {
      TrimOffsets(parts_, provenance.text(), i == 1, options, &runs[i]);
    }
  }
  return Assemble(parts_.post_processor, &runs[0], second == nullptr ? nullptr : &runs[1], options,
                  encoding);
}

absl::Status CheckTemplate(const std::vector<TemplatePart>& parts, const Vocabulary& vocabulary) {
  for (const TemplatePart& part : parts) {
    for (const TokenId id : part.ids) {
      if (!vocabulary.Contains(id)) {
        return absl::InvalidArgumentError(absl::StrCat("post-processor: special token id ", id,
                                                       " is not in the vocabulary of ",
                                                       vocabulary.size()));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

void ReplaceInvalidUtf8(AlignedText* text) {
  if (IsValidUtf8(text->text())) return;
  AlignedText::Rewriter w(*text);
  const std::string_view from = text->text();
  while (!w.done()) {
    const size_t valid = ValidUtf8Prefix(from.substr(w.position()));
    w.Keep(valid);
    if (w.done()) break;
    w.Replace(DecodeUtf8(from, w.position()).size, "\xEF\xBF\xBD");
  }
  w.Finish(text);
}

absl::Status ClassifyAddedTokens(const std::vector<std::string>& content_tokens,
                                 std::vector<AddedToken>* tokens) {
  for (AddedToken& token : *tokens) {
    token.token_class = !token.special && IsWhiteSpaceOnly(token.content)
                            ? AddedTokenClass::kContent
                            : AddedTokenClass::kControl;
  }
  for (const std::string& content : content_tokens) {
    bool found = false;
    for (AddedToken& token : *tokens) {
      if (token.content != content) continue;
      token.token_class = AddedTokenClass::kContent;
      found = true;
    }
    if (!found) {
      return absl::InvalidArgumentError(absl::StrCat(
          "content_tokens: \"", content, "\" is not an added token of this vocabulary"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenizerPtr> NewEngineTokenizer(EngineParts parts) {
  if (parts.model == nullptr) {
    return absl::InvalidArgumentError("engine without a model, expected one");
  }
  PENSTOCK_RETURN_IF_ERROR(CheckTemplate(parts.post_processor.single, parts.vocabulary));
  PENSTOCK_RETURN_IF_ERROR(CheckTemplate(parts.post_processor.pair, parts.vocabulary));
  for (const auto* chain : {&parts.post_processor.single_chain, &parts.post_processor.pair_chain}) {
    if (!chain->has_value() || !(*chain)->with_special.has_value()) continue;
    PENSTOCK_RETURN_IF_ERROR(CheckTemplate(*(*chain)->with_special, parts.vocabulary));
  }
  return TokenizerPtr(std::make_shared<EngineTokenizer>(std::move(parts)));
}

}  // namespace penstock::internal
