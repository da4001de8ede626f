// SPDX-License-Identifier: Apache-2.0
//
// Which K/V a group of layers keeps of a long sequence.
//
//   KVCacheOptions options;
//   // e.g. a model with sliding-window layers
//   options.groups = {Retention::Full(), Retention::SinkWindow(0, 4096)};
//
//   Retention bad = Retention::SinkWindow(16, 0);
//   // kInvalidArgument: window_tokens is 0, expected at least 1
//   bad.Validate();
#ifndef PENSTOCK_KV_CACHE_RETENTION_H_
#define PENSTOCK_KV_CACHE_RETENTION_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "penstock/base/export.h"

namespace penstock {

// A rule for one group. A match of L tokens needs of a window group only [0, sink) and [L - window,
// L). Exact when the group's layers attend that way by construction. Otherwise an approximation:
// then name it in Scope::approximation, so that exact requests never see its results.
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

}  // namespace penstock

#endif  // PENSTOCK_KV_CACHE_RETENTION_H_
