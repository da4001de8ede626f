// SPDX-License-Identifier: Apache-2.0
//
// Context length: which K/V a group of layers keeps of a long sequence, and what to do with a
// prompt that is longer than the model's context.
//
//   KVCacheOptions options;
//   options.groups = {Retention::Full(), Retention::SinkWindow(0, 4096)};  // sliding-window layers
//
//   Truncation rule;
//   rule.kind = Truncation::Kind::kStride;  rule.limit_tokens = 8192;  rule.stride_tokens = 1024;
//   PENSTOCK_ASSIGN_OR_RETURN(Truncated cut, TruncatePrompt(ids, rule));
//
//   Retention bad = Retention::SinkWindow(16, 0);
//   bad.Validate();                               // kInvalidArgument: window_tokens is 0, …
#ifndef PENSTOCK_KV_CACHE_RETENTION_H_
#define PENSTOCK_KV_CACHE_RETENTION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "penstock/base/export.h"
#include "penstock/base/token.h"

namespace penstock {

// A rule for one group. Token t attends to [0, sink) and to the window_tokens last tokens, itself
// included: a match of L tokens needs of a window group only the blocks of [0, sink) and
// [L + 1 - window, L). Exact when the group's layers attend that way by construction. Otherwise an
// approximation: then name it in Scope::approximation, so that exact requests never see its
// results. Lease::ApplyRetention gives back what lies outside. A window that is some blocks longer
// than the model's costs these blocks a sequence, and lets prompts match that leave a cached one
// shortly before its end, as a chat's next turn does where its template writes the end anew.
struct PENSTOCK_EXPORT Retention {
  enum class Kind : uint8_t { kFull, kSinkWindow };

  Kind kind = Kind::kFull;
  size_t sink_tokens = 0;    // kSinkWindow: the first tokens, always kept
  size_t window_tokens = 0;  // kSinkWindow: the last tokens, at least 1

  static Retention Full() { return Retention(); }
  static Retention SinkWindow(size_t sink_tokens, size_t window_tokens) {
    Retention r;
    r.kind = Kind::kSinkWindow;
    r.sink_tokens = sink_tokens;
    r.window_tokens = window_tokens;
    return r;
  }

  absl::Status Validate() const;
};

// What to do with a prompt of more than limit_tokens.
struct PENSTOCK_EXPORT Truncation {
  enum class Kind : uint8_t {
    kReject,    // kResourceExhausted
    kKeepHead,  // the first limit tokens; the prefix stays, the question at the end is lost
    kKeepTail,  // the last limit tokens; every turn begins elsewhere, so nothing is ever reused
    kSinkTail,  // the first sink tokens and the last ones; reuse ends after the sink
    // The first sink tokens, and of the rest the end, cut so that whole strides are dropped: the
    // cut stays where it is for many turns, and what follows it is reused meanwhile.
    kStride,
  };

  Kind kind = Kind::kReject;
  size_t limit_tokens = 0;   // at least 1
  size_t sink_tokens = 0;    // kSinkTail, kStride: less than the limit
  size_t stride_tokens = 0;  // kStride: 1 .. limit - sink

  absl::Status Validate() const;
};

struct Truncated {
  Truncation::Kind kind = Truncation::Kind::kReject;  // the rule that made it
  std::vector<TokenId> tokens;
  size_t head_tokens = 0;  // kept from the beginning: a cached prefix can be reused this far
  size_t tail_begin = 0;   // where the kept rest begins in the original; its size if there is none
  size_t dropped_tokens = 0;  // lost to the model; KVRequest::truncated has it counted
};

// kInvalidArgument: the rule. kResourceExhausted: kReject, and the prompt is too long. O(tokens).
PENSTOCK_EXPORT absl::StatusOr<Truncated> TruncatePrompt(absl::Span<const TokenId> tokens,
                                                         const Truncation& rule);

// One group of layers, as measured by the host: how much attention its queries pay.
struct AttentionProfile {
  std::vector<double> mass_by_distance;  // [d]: to the token d positions back; any scale
  double sink_mass = 0;                  // beyond that, to the first sink_tokens, same scale
  double bytes_per_token = 1;            // K and V of the group
};

struct FittedRetention {
  std::vector<Retention> groups;
  std::vector<double> kept_mass;  // by group: share of the attention that stays within reach
  double bytes = 0;               // of one sequence that is longer than every window
};

// The windows that keep most attention within `budget_bytes` a sequence, all groups together: the
// bytes go where the next token back is paid most attention per byte. Groups whose profile fits
// whole become kFull. Approximate unless the model attends that way: quality is the host's to
// check.
// kInvalidArgument: no profiles, a negative or non-finite number, or a budget below one token and
// the sink of every group. O(distances).
PENSTOCK_EXPORT absl::StatusOr<FittedRetention> FitRetention(
    absl::Span<const AttentionProfile> profiles, size_t sink_tokens, double budget_bytes);

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_RETENTION_H_
