// SPDX-License-Identifier: Apache-2.0
#include "penstock/kv_cache/retention.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "penstock/base/status_macros.h"

namespace penstock {

absl::Status Retention::Validate() const {
  if (kind == Kind::kSinkWindow && window_tokens < 1) {
    return absl::InvalidArgumentError("retention: window_tokens is 0, expected at least 1");
  }
  return absl::OkStatus();
}

absl::Status Truncation::Validate() const {
  if (limit_tokens < 1) {
    return absl::InvalidArgumentError("truncation: limit_tokens is 0, expected at least 1");
  }
  if ((kind == Kind::kSinkTail || kind == Kind::kStride) && sink_tokens >= limit_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("truncation: sink_tokens is ", sink_tokens,
                                                   ", expected less than limit_tokens, ",
                                                   limit_tokens));
  }
  if (kind == Kind::kStride && (stride_tokens < 1 || stride_tokens > limit_tokens - sink_tokens)) {
    return absl::InvalidArgumentError(absl::StrCat("truncation: stride_tokens is ", stride_tokens,
                                                   ", expected 1 .. ", limit_tokens - sink_tokens));
  }
  return absl::OkStatus();
}

absl::StatusOr<Truncated> TruncatePrompt(absl::Span<const TokenId> tokens, const Truncation& rule) {
  PENSTOCK_RETURN_IF_ERROR(rule.Validate());
  const size_t size = tokens.size();
  Truncated cut;
  cut.kind = rule.kind;
  cut.head_tokens = cut.tail_begin = size;
  if (size > rule.limit_tokens) {
    const size_t over = size - rule.limit_tokens;
    switch (rule.kind) {
      case Truncation::Kind::kReject:
        return absl::ResourceExhaustedError(
            absl::StrCat("prompt: ", size, " tokens, expected at most ", rule.limit_tokens));
      case Truncation::Kind::kKeepHead:
        cut.head_tokens = rule.limit_tokens;
        break;
      case Truncation::Kind::kKeepTail:
        cut.head_tokens = 0;
        cut.tail_begin = over;
        break;
      case Truncation::Kind::kSinkTail:
        cut.head_tokens = rule.sink_tokens;
        cut.tail_begin = rule.sink_tokens + over;
        break;
      case Truncation::Kind::kStride: {
        const size_t strides = (over + rule.stride_tokens - 1) / rule.stride_tokens;
        cut.head_tokens = rule.sink_tokens;
        cut.tail_begin = std::min(size, rule.sink_tokens + strides * rule.stride_tokens);
        break;
      }
    }
  }
  cut.dropped_tokens = cut.tail_begin - cut.head_tokens;
  cut.tokens.assign(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(cut.head_tokens));
  cut.tokens.insert(cut.tokens.end(), tokens.begin() + static_cast<ptrdiff_t>(cut.tail_begin),
                    tokens.end());
  cut.dropped_tokens = size - cut.tokens.size();
  return cut;
}

namespace {

// The number of further distances, from `from` on, with the highest mean mass: the next step on the
// upper concave hull of the cumulated mass.
size_t BestExtension(const std::vector<double>& mass, size_t from, double* mean) {
  double sum = 0;
  size_t best = 0;
  *mean = -1;
  for (size_t i = from; i < mass.size(); ++i) {
    sum += mass[i];
    const double m = sum / static_cast<double>(i - from + 1);
    if (m >= *mean) {
      *mean = m;
      best = i - from + 1;
    }
  }
  return best;
}

absl::Status ValidateProfiles(absl::Span<const AttentionProfile> profiles, size_t sink_tokens,
                              double budget_bytes) {
  if (profiles.empty()) {
    return absl::InvalidArgumentError("profiles: none, expected one a group");
  }
  double least = 0;
  for (size_t g = 0; g < profiles.size(); ++g) {
    const AttentionProfile& p = profiles[g];
    bool good = !p.mass_by_distance.empty() && p.sink_mass >= 0 && std::isfinite(p.sink_mass) &&
                p.bytes_per_token > 0 && std::isfinite(p.bytes_per_token);
    for (double m : p.mass_by_distance) good = good && m >= 0 && std::isfinite(m);
    if (!good) {
      return absl::InvalidArgumentError(absl::StrCat(
          "profiles[", g, "]: expected finite masses >= 0, at least one, and bytes_per_token > 0"));
    }
    least += p.bytes_per_token * static_cast<double>(sink_tokens + 1);
  }
  if (!(budget_bytes >= least)) {
    return absl::InvalidArgumentError(absl::StrCat("budget_bytes: ", budget_bytes,
                                                   ", expected at least ", least,
                                                   " for the sink and one token of every group"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FittedRetention> FitRetention(absl::Span<const AttentionProfile> profiles,
                                             size_t sink_tokens, double budget_bytes) {
  PENSTOCK_RETURN_IF_ERROR(ValidateProfiles(profiles, sink_tokens, budget_bytes));
  const size_t groups = profiles.size();
  std::vector<size_t> window(groups, 1), step(groups);
  std::vector<double> gain(groups);
  FittedRetention fitted;
  for (size_t g = 0; g < groups; ++g) {
    fitted.bytes += profiles[g].bytes_per_token * static_cast<double>(sink_tokens + 1);
    step[g] = BestExtension(profiles[g].mass_by_distance, window[g], &gain[g]);
    gain[g] /= profiles[g].bytes_per_token;
  }
  while (true) {
    size_t best = groups;
    for (size_t g = 0; g < groups; ++g) {
      if (step[g] > 0 && (best == groups || gain[g] > gain[best])) best = g;
    }
    if (best == groups) break;
    const AttentionProfile& p = profiles[best];
    const auto affordable = static_cast<size_t>((budget_bytes - fitted.bytes) / p.bytes_per_token);
    const size_t take = std::min(step[best], affordable);
    window[best] += take;
    fitted.bytes += p.bytes_per_token * static_cast<double>(take);
    if (take < step[best]) {
      step[best] = 0;  // nothing more fits here; a cheaper group may still grow
      continue;
    }
    step[best] = BestExtension(p.mass_by_distance, window[best], &gain[best]);
    gain[best] /= p.bytes_per_token;
  }
  for (size_t g = 0; g < groups; ++g) {
    const std::vector<double>& mass = profiles[g].mass_by_distance;
    const auto end = mass.begin() + static_cast<ptrdiff_t>(window[g]);
    const double total = std::accumulate(mass.begin(), mass.end(), profiles[g].sink_mass);
    const double kept =
        std::accumulate(mass.begin(), end, sink_tokens > 0 ? profiles[g].sink_mass : 0.0);
    fitted.kept_mass.push_back(total > 0 ? kept / total : 1);
    fitted.groups.push_back(window[g] == mass.size()
                                ? Retention::Full()
                                : Retention::SinkWindow(sink_tokens, window[g]));
  }
  return fitted;
}

}  // namespace penstock
