// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/assemble.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "penstock/base/status_macros.h"

namespace penstock::internal {
namespace {

struct Window {
  size_t begin;
  size_t end;
};

// The windows of `length` tokens cut to `keep`, the kept one first.
absl::StatusOr<std::vector<Window>> Windows(size_t length, size_t keep,
                                            const TruncationOptions& options) {
  if (keep >= length) return std::vector<Window>{{0, length}};
  if (keep == 0) return std::vector<Window>{{0, 0}, {0, length}};
  if (options.stride >= keep) {
    return absl::InvalidArgumentError(
        absl::StrCat("truncation.stride is ", options.stride, ", expected less than the ", keep,
                     " tokens that max_tokens ", options.max_tokens, " leaves for the text"));
  }
  std::vector<Window> windows;
  const size_t step = keep - options.stride;
  if (options.side == Side::kRight) {
    for (size_t begin = 0;; begin += step) {
      const size_t end = std::min(begin + keep, length);
      windows.push_back({begin, end});
      if (end == length) break;
    }
  } else {
    for (size_t end = length;; end -= step) {
      const size_t begin = end > keep ? end - keep : 0;
      windows.push_back({begin, end});
      if (begin == 0) break;
    }
  }
  return windows;
}

struct Keep {
  size_t first;
  size_t second;
};

// Hugging Face's longest-first: the shorter text keeps its tokens while it can.
Keep LongestFirst(size_t first, size_t second, size_t limit) {
  size_t shorter = std::min(first, second);
  size_t longer = std::max(first, second);
  longer = shorter > limit ? shorter : std::max(shorter, limit - shorter);
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = shorter + limit % 2;
  }
  return first > second ? Keep{longer, shorter} : Keep{shorter, longer};
}

absl::StatusOr<Keep> HowMuchToKeep(size_t first, const size_t* second, size_t added,
                                   const TruncationOptions& options) {
  if (added > options.max_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("truncation.max_tokens is ", options.max_tokens,
                                                   ", expected at least the ", added,
                                                   " special tokens of the template"));
  }
  const size_t limit = options.max_tokens - added;
  const size_t other = second == nullptr ? 0 : *second;
  if (limit == 0) return Keep{0, 0};
  if (first + other <= limit) return Keep{first, other};
  const size_t excess = first + other - limit;
  switch (options.strategy) {
    case TruncationStrategy::kLongestFirst:
      if (second == nullptr) return Keep{limit, 0};
      return LongestFirst(first, other, limit);
    case TruncationStrategy::kOnlyFirst:
      if (first > excess) return Keep{first - excess, other};
      break;
    case TruncationStrategy::kOnlySecond:
      if (second == nullptr) {
        return absl::InvalidArgumentError(
            "truncation.strategy is kOnlySecond, expected a pair of texts");
      }
      if (other > excess) return Keep{first, other - excess};
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("truncation to ", options.max_tokens,
                                                 " tokens must remove ", excess,
                                                 ", more than the text that may give way has"));
}

// What stands around the texts, and how many tokens of it truncation leaves room for.
struct Layout {
  const std::vector<TemplatePart>* parts;
  size_t room;
};

absl::StatusOr<Layout> LayoutOf(const PostProcessor& post, bool pair,
                                const EncodeOptions& options) {
  const std::optional<PostProcessor::Chain>& chain = pair ? post.pair_chain : post.single_chain;
  if (!chain.has_value()) {
    const std::vector<TemplatePart>& parts = pair ? post.pair : post.single;
    return Layout{&parts, options.add_special_tokens ? TemplateTokens(parts) : 0};
  }
  const auto& parts = options.add_special_tokens ? chain->with_special : chain->without_special;
  if (!parts.has_value()) {
    return absl::UnimplementedError(
        absl::StrCat("post-processor: a template after another that makes more than two parts of ",
                     pair ? "a pair" : "a text", ", expected one or two"));
  }
  return Layout{&*parts, options.add_special_tokens ? chain->room : 0};
}

class Assembler {
 public:
  Assembler(const std::vector<TemplatePart>& parts, const TokenRun& first, const TokenRun* second,
            const EncodeOptions& options)
      : parts_(parts), first_(first), second_(second), options_(options) {}

  // `overflow`: the window is not the one that was kept. The type ids of the template are for the
  // kept windows; the reference leaves others with the number of their text.
  void Run(Window first, bool first_overflow, Window second, bool second_overflow,
           Encoding* out) const {
    using Kind = TemplatePart::Kind;
    for (const TemplatePart& part : parts_) {
      if (part.kind == Kind::kSpecial) {
        if (!options_.add_special_tokens) continue;
        const bool cut = (part.around == Kind::kFirst && first_overflow) ||
                         (part.around == Kind::kSecond && second_overflow);
        Append(part.ids.data(), nullptr, part.ids.size(), cut ? part.cut_type_id : part.type_id,
               part.masked ? 1 : 0, out);
        continue;
      }
      const bool is_first = part.kind == Kind::kFirst;
      const TokenRun* run = is_first ? &first_ : second_;
      if (run == nullptr) continue;
      const Window w = is_first ? first : second;
      int32_t type_id = part.type_id;
      if (is_first ? first_overflow : second_overflow) {
        const bool by_text =
            part.cut_type_id == TemplatePart::kByText || !options_.add_special_tokens;
        type_id = by_text ? (is_first ? 0 : 1) : part.cut_type_id;
      }
      const size_t begin = out->ids.size();
      Append(run->ids.data() + w.begin,
             run->offsets.empty() ? nullptr : run->offsets.data() + w.begin, w.end - w.begin,
             type_id, 0, out);
      if (!run->offsets_if_first.empty() && w.begin < w.end) {
        out->offsets[begin] = run->offsets_if_first[w.begin];
      }
    }
  }

 private:
  void Append(const TokenId* ids, const ByteRange* offsets, size_t count, int32_t type_id,
              uint8_t special, Encoding* out) const {
    out->ids.insert(out->ids.end(), ids, ids + count);
    if (options_.offsets) {
      if (offsets != nullptr) {
        out->offsets.insert(out->offsets.end(), offsets, offsets + count);
      } else {
        out->offsets.resize(out->offsets.size() + count);
      }
    }
    if (options_.type_ids) out->type_ids.insert(out->type_ids.end(), count, type_id);
    if (options_.special_tokens_mask) {
      out->special_tokens_mask.insert(out->special_tokens_mask.end(), count, special);
    }
  }

  const std::vector<TemplatePart>& parts_;
  const TokenRun& first_;
  const TokenRun* second_;
  const EncodeOptions& options_;
};

bool SecondLeads(const std::vector<TemplatePart>& parts) {
  for (const TemplatePart& part : parts) {
    if (part.kind != TemplatePart::Kind::kSpecial) return part.kind == TemplatePart::Kind::kSecond;
  }
  return false;
}

// Nothing around or cut off: the run is the encoding.
bool IsPlain(const std::vector<TemplatePart>& parts, const EncodeOptions& options) {
  if (options.truncation.has_value()) return false;
  size_t texts = 0;
  for (const TemplatePart& part : parts) {
    if (part.kind == TemplatePart::Kind::kSpecial ? options.add_special_tokens
                                                  : part.kind != TemplatePart::Kind::kFirst) {
      return false;
    }
    texts += part.kind == TemplatePart::Kind::kFirst ? 1 : 0;
  }
  return texts == 1;
}

void AssemblePlain(const std::vector<TemplatePart>& parts, TokenRun* first,
                   const EncodeOptions& options, Encoding* encoding) {
  int32_t type_id = 0;
  for (const TemplatePart& part : parts) {
    if (part.kind == TemplatePart::Kind::kFirst) type_id = part.type_id;
  }
  encoding->ids = std::move(first->ids);
  encoding->offsets = std::move(first->offsets);
  encoding->safe_cuts = std::move(first->cuts);
  if (options.type_ids) encoding->type_ids.assign(encoding->ids.size(), type_id);
  if (options.special_tokens_mask) encoding->special_tokens_mask.assign(encoding->ids.size(), 0);
}

}  // namespace

size_t TemplateTokens(const std::vector<TemplatePart>& parts) {
  size_t tokens = 0;
  for (const TemplatePart& part : parts) {
    if (part.kind == TemplatePart::Kind::kSpecial) tokens += part.ids.size();
  }
  return tokens;
}

absl::Status Assemble(const PostProcessor& post, TokenRun* first, TokenRun* second,
                      const EncodeOptions& options, Encoding* encoding) {
  PENSTOCK_ASSIGN_OR_RETURN(const Layout layout, LayoutOf(post, second != nullptr, options));
  const std::vector<TemplatePart>& parts = *layout.parts;
  if (second == nullptr && IsPlain(parts, options)) {
    AssemblePlain(parts, first, options, encoding);
    return absl::OkStatus();
  }
  const size_t first_size = first->ids.size();
  const size_t second_size = second == nullptr ? 0 : second->ids.size();
  std::vector<Window> windows[2] = {{{0, first_size}}, {{0, second_size}}};
  if (options.truncation.has_value()) {
    PENSTOCK_ASSIGN_OR_RETURN(const Keep keep,
                              HowMuchToKeep(first_size, second == nullptr ? nullptr : &second_size,
                                            layout.room, *options.truncation));
    PENSTOCK_ASSIGN_OR_RETURN(windows[0], Windows(first_size, keep.first, *options.truncation));
    PENSTOCK_ASSIGN_OR_RETURN(windows[1], Windows(second_size, keep.second, *options.truncation));
  }
  const Assembler assembler(parts, *first, second, options);
  assembler.Run(windows[0][0], false, windows[1][0], false, encoding);
  // Every overflowing window of the text that comes first in the template with every window of the
  // other, then the kept one of the former with the other windows of the latter.
  const size_t leader = SecondLeads(parts) ? 1 : 0;
  for (size_t i = 0; i < windows[leader].size(); ++i) {
    for (size_t j = 0; j < windows[1 - leader].size(); ++j) {
      const size_t lead = (i + 1) % windows[leader].size();
      if (lead == 0 && j == 0) continue;
      const size_t a = leader == 0 ? lead : j;
      const size_t b = leader == 0 ? j : lead;
      encoding->overflowing.emplace_back();
      assembler.Run(windows[0][a], a > 0, windows[1][b], b > 0, &encoding->overflowing.back());
    }
  }
  return absl::OkStatus();
}

}  // namespace penstock::internal
