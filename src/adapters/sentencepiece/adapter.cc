// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "adapters/sentencepiece/bridge.h"
#include "penstock/adapters/sentencepiece.h"
#include "penstock/base/status_macros.h"

namespace penstock {
namespace {

using internal::SentencePieceBridge;

// Tokens of one text.
struct Run {
  std::vector<TokenId> ids;
  std::vector<ByteRange> offsets;
};

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(TokenizerPtr native, std::unique_ptr<SentencePieceBridge> library)
      : native_(std::move(native)),
        library_(std::move(library)),
        fingerprint_("sentencepiece:" + std::string(native_->fingerprint())) {
    ReadTemplate();
  }

  const Vocabulary& vocabulary() const override { return native_->vocabulary(); }
  std::string_view fingerprint() const override { return fingerprint_; }

 private:
  absl::Status DoEncode(absl::Span<const Segment> first, const absl::Span<const Segment>* second,
                        const EncodeOptions& options, Encoding* encoding) const override;
  std::string DoDecode(absl::Span<const TokenId> ids, const DecodeOptions& options) const override;

  void ReadTemplate();
  absl::Status EncodeText(absl::Span<const Segment> segments, bool plain, Run* run) const;
  absl::Status EncodePlain(std::string_view text, size_t offset, Run* run) const;
  // The longest control piece that `text` begins with, or null.
  const AddedToken* ControlAt(std::string_view text) const;
  void Finish(const Run& run, size_t begin, size_t end, int32_t type_id,
              const EncodeOptions& options, Encoding* encoding) const;

  TokenizerPtr native_;  // read the same file: vocabulary and template
  std::unique_ptr<SentencePieceBridge> library_;
  std::string fingerprint_;
  std::vector<TokenId> before_, after_;  // special tokens around each text
};

void SentencePieceTokenizer::ReadTemplate() {
  EncodeOptions options;
  const absl::StatusOr<Encoding> bare = native_->Encode({Untrusted("a")}, options);
  options.add_special_tokens = true;
  const absl::StatusOr<Encoding> full = native_->Encode({Untrusted("a")}, options);
  if (!bare.ok() || !full.ok()) return;  // no limit is set: encoding cannot fail
  const auto at =
      std::search(full->ids.begin(), full->ids.end(), bare->ids.begin(), bare->ids.end());
  before_.assign(full->ids.begin(), at);
  after_.assign(at + static_cast<ptrdiff_t>(bare->ids.size()), full->ids.end());
}

const AddedToken* SentencePieceTokenizer::ControlAt(std::string_view text) const {
  const AddedToken* longest = nullptr;
  for (const AddedToken& token : vocabulary().added_tokens()) {
    if (text.substr(0, token.content.size()) != token.content) continue;
    if (longest == nullptr || token.content.size() > longest->content.size()) longest = &token;
  }
  return longest;
}

absl::Status SentencePieceTokenizer::EncodePlain(std::string_view text, size_t offset,
                                                 Run* run) const {
  std::vector<SentencePieceBridge::Token> tokens;
  std::string error;
  if (!library_->Encode(text, &tokens, &error)) return absl::InternalError(error);
  for (const SentencePieceBridge::Token& token : tokens) {
    run->ids.push_back(token.id);
    run->offsets.push_back({offset + token.begin, offset + token.end});
  }
  return absl::OkStatus();
}

// Plain text is collected over seams; a control piece in a trusted segment ends it.
absl::Status SentencePieceTokenizer::EncodeText(absl::Span<const Segment> segments, bool plain,
                                                Run* run) const {
  std::string text;
  size_t begin = 0, at = 0;
  const auto flush = [&] {
    const absl::Status status = text.empty() ? absl::OkStatus() : EncodePlain(text, begin, run);
    text.clear();
    return status;
  };
  for (const Segment& segment : segments) {
    const std::string_view rest = segment.text();
    if (plain || !segment.trusted()) {
      if (text.empty()) begin = at;
      text.append(rest);
      at += rest.size();
      continue;
    }
    for (size_t i = 0; i < rest.size();) {
      const AddedToken* control = ControlAt(rest.substr(i));
      const size_t length = control == nullptr ? 1 : control->content.size();
      if (control == nullptr) {
        if (text.empty()) begin = at;
        text.push_back(rest[i]);
      } else {
        PENSTOCK_RETURN_IF_ERROR(flush());
        run->ids.push_back(control->id);
        run->offsets.push_back({at, at + length});
      }
      i += length;
      at += length;
    }
  }
  return flush();
}

void SentencePieceTokenizer::Finish(const Run& run, size_t begin, size_t end, int32_t type_id,
                                    const EncodeOptions& options, Encoding* encoding) const {
  const auto add = [&](TokenId id, ByteRange range, bool special) {
    encoding->ids.push_back(id);
    if (options.offsets) encoding->offsets.push_back(range);
    if (options.type_ids) encoding->type_ids.push_back(type_id);
    if (options.special_tokens_mask) encoding->special_tokens_mask.push_back(special ? 1 : 0);
  };
  if (options.add_special_tokens) {
    for (const TokenId id : before_) add(id, {}, true);
  }
  for (size_t i = begin; i < end; ++i) add(run.ids[i], run.offsets[i], false);
  if (options.add_special_tokens) {
    for (const TokenId id : after_) add(id, {}, true);
  }
}

absl::Status SentencePieceTokenizer::DoEncode(absl::Span<const Segment> first,
                                              const absl::Span<const Segment>* second,
                                              const EncodeOptions& options,
                                              Encoding* encoding) const {
  const bool plain = options.added_tokens == AddedTokenMatching::kReferencePlain;
  Run run;
  PENSTOCK_RETURN_IF_ERROR(EncodeText(first, plain, &run));
  const size_t size = run.ids.size();
  if (second != nullptr) {
    if (options.truncation.has_value()) {
      return absl::UnimplementedError(
          "the sentencepiece adapter does not truncate pairs; LoadTokenizer() without it does");
    }
    Run other;
    PENSTOCK_RETURN_IF_ERROR(EncodeText(*second, plain, &other));
    Finish(run, 0, size, 0, options, encoding);
    Finish(other, 0, other.ids.size(), 1, options, encoding);
    return absl::OkStatus();
  }
  if (!options.truncation.has_value()) {
    Finish(run, 0, size, 0, options, encoding);
    return absl::OkStatus();
  }
  const TruncationOptions& truncation = *options.truncation;
  const size_t special = options.add_special_tokens ? before_.size() + after_.size() : 0;
  if (truncation.max_tokens < special ||
      (truncation.max_tokens > special && truncation.stride >= truncation.max_tokens - special)) {
    return absl::InvalidArgumentError(
        "truncation: the special tokens and the stride leave no room");
  }
  const size_t room = truncation.max_tokens - special;
  if (size <= room || room == 0) {
    Finish(run, 0, std::min(size, room), 0, options, encoding);
    return absl::OkStatus();
  }
  const bool left = truncation.side == Side::kLeft;
  Encoding* window = encoding;
  for (size_t done = 0;; done += room - truncation.stride) {
    const size_t length = std::min(room, size - done);
    const size_t begin = left ? size - done - length : done;
    Finish(run, begin, begin + length, 0, options, window);
    if (done + length == size) return absl::OkStatus();
    encoding->overflowing.emplace_back();
    window = &encoding->overflowing.back();
  }
}

std::string SentencePieceTokenizer::DoDecode(absl::Span<const TokenId> ids,
                                             const DecodeOptions& options) const {
  std::vector<int> kept;
  for (const TokenId id : ids) {
    if (!options.skip_special_tokens || !vocabulary().IsSpecial(id)) kept.push_back(id);
  }
  return library_->Decode(kept);
}

absl::StatusOr<TokenizerPtr> Read(std::string_view file, std::string_view name,
                                  const LoadOptions& options) {
  LoadOptions native_options = options;
  native_options.extra_readers.clear();
  native_options.format = FileFormat::kSentencePiece;
  PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr native, ParseTokenizer(file, name, native_options));
  for (const AddedToken& token : native->vocabulary().added_tokens()) {
    if (token.special) continue;
    return absl::UnimplementedError(
        std::string(name) + ": the sentencepiece library would match the user-defined piece \"" +
        token.content +
        "\" in untrusted text too; name it in LoadOptions::content_tokens, or load the file "
        "without this adapter");
  }
  std::string error;
  std::unique_ptr<SentencePieceBridge> library = SentencePieceBridge::Load(file, &error);
  if (library == nullptr) return absl::DataLossError(std::string(name) + ": " + error);
  return std::make_shared<const SentencePieceTokenizer>(std::move(native), std::move(library));
}

// Tag of ModelProto.pieces, the length of the first piece, the tag of its text. The native reader
// looks closer when it reads the file.
bool Recognizes(std::string_view head) {
  return head.size() > 3 && head[0] == '\x0A' && head[2] == '\x0A' &&
         static_cast<unsigned char>(head[3]) < static_cast<unsigned char>(head[1]);
}

}  // namespace

absl::StatusOr<TokenizerPtr> LoadSentencePieceTokenizer(const std::string& path,
                                                        const LoadOptions& options) {
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return absl::NotFoundError(path + ": " + std::strerror(errno));
  std::string bytes;
  char buffer[1 << 14];
  size_t got = 0;
  while ((got = std::fread(buffer, 1, sizeof(buffer), file)) > 0 &&
         bytes.size() <= options.limits.max_file_bytes) {
    bytes.append(buffer, got);
  }
  const bool failed = std::ferror(file) != 0;
  std::fclose(file);
  if (failed) return absl::UnavailableError(path + ": cannot be read");
  return Read(bytes, path, options);
}

TokenizerReader SentencePieceReader() { return {"sentencepiece library", Recognizes, Read}; }

}  // namespace penstock
