// SPDX-License-Identifier: Apache-2.0
#include "penstock/tokenizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/engine.h"

namespace penstock {
namespace {

constexpr size_t kWindow = size_t{64} << 10;  // bytes that EncodeTo() takes at a time

absl::Status CheckInput(absl::Span<const Segment> segments, const EncodeOptions& options) {
  if (!options.max_input_bytes.has_value()) return absl::OkStatus();
  size_t bytes = 0;
  for (const Segment& s : segments) bytes += s.text().size();
  if (bytes <= *options.max_input_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("text of ", bytes, " bytes, expected at most ",
                                                   *options.max_input_bytes,
                                                   " (EncodeOptions::max_input_bytes)"));
}

absl::Status CheckOptions(const EncodeOptions& options) {
  return options.truncation.has_value() ? options.truncation->Validate() : absl::OkStatus();
}

}  // namespace

absl::Status TruncationOptions::Validate() const {
  if (max_tokens != 0 && stride >= max_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("truncation.stride is ", stride,
                                                   ", expected less than max_tokens ", max_tokens));
  }
  return absl::OkStatus();
}

absl::StatusOr<Encoding> Tokenizer::Encode(absl::Span<const Segment> segments,
                                           const EncodeOptions& options) const {
  PENSTOCK_RETURN_IF_ERROR(CheckOptions(options));
  PENSTOCK_RETURN_IF_ERROR(CheckInput(segments, options));
  Encoding encoding;
  PENSTOCK_RETURN_IF_ERROR(DoEncode(segments, nullptr, options, &encoding));
  return encoding;
}

absl::StatusOr<Encoding> Tokenizer::EncodePair(absl::Span<const Segment> first,
                                               absl::Span<const Segment> second,
                                               const EncodeOptions& options) const {
  PENSTOCK_RETURN_IF_ERROR(CheckOptions(options));
  PENSTOCK_RETURN_IF_ERROR(CheckInput(first, options));
  PENSTOCK_RETURN_IF_ERROR(CheckInput(second, options));
  Encoding encoding;
  PENSTOCK_RETURN_IF_ERROR(DoEncode(first, &second, options, &encoding));
  return encoding;
}

std::vector<TokenId> Tokenizer::EncodeIds(std::string_view plain_text) const {
  Encoding encoding;
  const Segment segment = Untrusted(plain_text);
  const absl::Status status =
      DoEncode(absl::MakeConstSpan(&segment, 1), nullptr, EncodeOptions(), &encoding);
  PENSTOCK_CHECK(status.ok());
  return std::move(encoding.ids);
}

absl::Status Tokenizer::EncodeTo(
    std::string_view plain_text,
    absl::AnyInvocable<absl::Status(absl::Span<const TokenId>)> sink) const {
  if (engine() == nullptr) {
    const std::vector<TokenId> ids = EncodeIds(plain_text);
    return ids.empty() ? absl::OkStatus() : sink(ids);
  }
  return engine()->EncodeTo(plain_text, &sink, kWindow);
}

std::string Tokenizer::Decode(absl::Span<const TokenId> ids, const DecodeOptions& options) const {
  return DoDecode(ids, options);
}

size_t Tokenizer::SpecialTokensToAdd(bool pair) const {
  const Segment empty = Untrusted("");
  const absl::Span<const Segment> none = absl::MakeConstSpan(&empty, 1);
  EncodeOptions options;
  options.add_special_tokens = true;
  Encoding with;
  Encoding without;
  if (!DoEncode(none, pair ? &none : nullptr, options, &with).ok()) return 0;
  options.add_special_tokens = false;
  if (!DoEncode(none, pair ? &none : nullptr, options, &without).ok()) return 0;
  return with.ids.size() - without.ids.size();
}

}  // namespace penstock
