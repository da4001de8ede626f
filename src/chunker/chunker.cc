// SPDX-License-Identifier: Apache-2.0
#include "penstock/chunker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "chunker/rep.h"
#include "chunker/session.h"
#include "chunker/stream_rep.h"
#include "penstock/base/status_macros.h"
#include "text/utf8.h"

namespace penstock {
namespace {

using internal::CutPolicy;
using internal::CutSide;

constexpr size_t kMaxUnitBytes = size_t{64} << 10;

// Budgets below this are checked against the costliest code point.
constexpr size_t kSmallBudget = 64;

std::vector<SafeCut> SafeCuts(const Tokenizer& tokenizer, std::string_view text) {
  EncodeOptions options;
  options.safe_cuts = true;
  const Segment segment = Untrusted(text);
  absl::StatusOr<Encoding> encoding = tokenizer.Encode({&segment, 1}, options);
  return encoding.ok() ? std::move(encoding->safe_cuts) : std::vector<SafeCut>();
}

// The side of the gap [content_end, next_begin) that is a safe cut in most of `texts`, which all
// have the gap at the same place; the first of `sides` in doubt.
struct Gap {
  std::string_view text;
  size_t content_end, line_start, next_begin;
};

CutSide SafeSide(const Tokenizer& tokenizer, std::initializer_list<Gap> gaps,
                 std::initializer_list<CutSide> sides, bool* known) {
  CutSide best = *sides.begin();
  size_t best_votes = 0;
  for (const CutSide side : sides) {
    size_t votes = 0;
    for (const Gap& gap : gaps) {
      const size_t byte = side == CutSide::kContentEnd  ? gap.content_end
                          : side == CutSide::kLineStart ? gap.line_start
                                                        : gap.next_begin;
      for (const SafeCut& cut : SafeCuts(tokenizer, gap.text)) votes += cut.byte == byte;
    }
    if (votes > best_votes) {
      best = side;
      best_votes = votes;
    }
  }
  *known |= best_votes > 0;
  return best;
}

CutPolicy FindCutPolicy(const Tokenizer& tokenizer, bool* known) {
  constexpr CutSide kEnd = CutSide::kContentEnd;
  constexpr CutSide kLine = CutSide::kLineStart;
  constexpr CutSide kNext = CutSide::kNextBegin;
  CutPolicy policy;
  policy.spaces = SafeSide(tokenizer,
                           {{"The cat sat. A dog ran off.", 12, 12, 13},
                            {"Did it (at all)? Nobody knew.", 16, 16, 17},
                            {"How nice of you! She smiled.", 16, 16, 17}},
                           {kEnd, kNext}, known);
  policy.one_line_end = SafeSide(tokenizer,
                                 {{"The cat sat.\nA dog ran off.", 12, 13, 13},
                                  {"one thing\nAnother thing", 9, 10, 10},
                                  {"Did it (at all)?\nNobody knew.", 16, 17, 17}},
                                 {kLine, kEnd}, known);
  policy.blank_lines = SafeSide(tokenizer,
                                {{"The cat sat.\n\nA dog ran off.", 12, 14, 14},
                                 {"one thing\n\nAnother thing", 9, 11, 11},
                                 {"Did it (at all)?\n\nNobody knew.", 16, 18, 18}},
                                {kLine, kEnd}, known);
  bool ideographs = false;
  for (const SafeCut& cut : SafeCuts(tokenizer, "天气很好。我们走吧。"))
    ideographs |= cut.byte == 15;
  *known |= ideographs;
  if (!*known) policy.spaces = kNext;  // a chunk that begins with a space wastes a token on it
  return policy;
}

// Tokens that two sentences lose when they are encoded as one: dummy prefixes and the like.
size_t JointSaving(const Tokenizer& tokenizer) {
  const size_t apart = tokenizer.Count("The cat sat. ") + tokenizer.Count("A dog ran off.");
  const size_t joined = tokenizer.Count("The cat sat. A dog ran off.");
  return apart > joined ? apart - joined : 0;
}

struct Costliest {
  std::string code_point;
  size_t tokens = 0;
};

// One code point in 64, and some that normalizers are known to expand.
Costliest FindCostliest(const Tokenizer& tokenizer) {
  Costliest costliest;
  const auto probe = [&](char32_t c) {
    if (!internal::IsScalarValue(c)) return;
    std::string text;
    internal::AppendUtf8(c, &text);
    const size_t tokens = tokenizer.Count(text);
    if (tokens > costliest.tokens) costliest = {std::move(text), tokens};
  };
  for (char32_t c = 1; c < 0x110000; c += c < 0x3100 ? 16 : c < 0x20000 ? 61 : 509) probe(c);
  for (const char32_t c : {0xFDFA, 0x33FF, 0x3300, 0x1F19B, 0x2A6D6, 0x10FFFF, 0xE0001}) {
    probe(static_cast<char32_t>(c));
  }
  const size_t bad_byte = tokenizer.Count("\xFF");
  if (bad_byte > costliest.tokens) costliest = {"byte 0xFF", bad_byte};
  return costliest;
}

}  // namespace

absl::StatusOr<Chunker> Chunker::Create(TokenizerPtr tokenizer, const ChunkerOptions& options) {
  if (tokenizer == nullptr) return absl::InvalidArgumentError("tokenizer is null");
  PENSTOCK_RETURN_IF_ERROR(options.Validate());
  auto rep = std::make_shared<Rep>();
  rep->options = options;
  rep->overhead = options.reserved_tokens;
  rep->budget = options.UsableTokens();
  if (options.count_special_tokens) {
    const size_t special = tokenizer->SpecialTokensToAdd();
    if (special >= rep->budget || options.overlap_tokens >= rep->budget - special) {
      return absl::InvalidArgumentError(
          absl::StrCat("max_tokens is ", options.max_tokens, ": ", special, " special tokens, ",
                       options.reserved_tokens, " reserved and ", options.overlap_tokens,
                       " of overlap leave nothing of ", rep->budget + options.reserved_tokens,
                       " usable tokens, expected more"));
    }
    rep->overhead += special;
    rep->budget -= special;
  }
  if (rep->budget < kSmallBudget) {
    const Costliest costliest = FindCostliest(*tokenizer);
    if (costliest.tokens > rep->budget) {
      return absl::InvalidArgumentError(
          absl::StrCat("max_tokens is ", options.max_tokens, ": ", rep->budget,
                       " tokens are left for text, and the character \"", costliest.code_point,
                       "\" costs ", costliest.tokens, ", expected at least as many"));
    }
  }
  rep->max_unit_bytes = kMaxUnitBytes + 16 * rep->budget;
  bool known = false;
  rep->cut_policy = FindCutPolicy(*tokenizer, &known);
  rep->safe_cuts = known;
  if (!known) rep->joint_saving = JointSaving(*tokenizer);
  rep->tokenizer = std::move(tokenizer);
  return Chunker(std::move(rep));
}

Chunker::Chunker(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
Chunker::Chunker(Chunker&&) noexcept = default;
Chunker& Chunker::operator=(Chunker&&) noexcept = default;
Chunker::~Chunker() = default;

std::vector<Chunk> Chunker::Split(std::string_view text) const {
  internal::Session session(rep_.get());
  session.SetText(text, 0, /*at_end=*/true);
  std::vector<Chunk> chunks;
  Chunk chunk;
  while (session.Next(&chunk)) chunks.push_back(std::move(chunk));
  rep_->counters.texts.fetch_add(1, std::memory_order_relaxed);
  rep_->counters.encoded_bytes.fetch_add(session.encoded_bytes(), std::memory_order_relaxed);
  return chunks;
}

absl::StatusOr<ChunkStream> Chunker::NewStream() const {
  if (rep_->options.packing == Packing::kBalanced || rep_->options.packing == Packing::kOptimal) {
    return absl::FailedPreconditionError(
        "packing is balanced or optimal, which need the whole text; expected greedy or lookahead "
        "for a stream");
  }
  return ChunkStream(std::make_unique<ChunkStream::Rep>(rep_));
}

const ChunkerOptions& Chunker::options() const { return rep_->options; }
size_t Chunker::budget_tokens() const { return rep_->budget; }

ChunkerStats Chunker::GetStats() const {
  const internal::ChunkerCounters& c = rep_->counters;
  ChunkerStats stats;
  stats.texts = c.texts.load(std::memory_order_relaxed);
  stats.bytes = c.bytes.load(std::memory_order_relaxed);
  stats.chunks = c.chunks.load(std::memory_order_relaxed);
  stats.tokens = c.tokens.load(std::memory_order_relaxed);
  stats.oversize_chunks = c.oversize_chunks.load(std::memory_order_relaxed);
  stats.sliced_chunks = c.sliced_chunks.load(std::memory_order_relaxed);
  stats.encoded_bytes = c.encoded_bytes.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace penstock
