// SPDX-License-Identifier: Apache-2.0
//
// Not API. A request with its callbacks, as the templates store it in the untyped core.
#ifndef PENSTOCK_INTERNAL_BATCHER_PAYLOAD_H_
#define PENSTOCK_INTERNAL_BATCHER_PAYLOAD_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/base/executor.h"
#include "penstock/batcher/outcome.h"
#include "penstock/internal/batcher_core.h"

namespace penstock::internal {

template <class Request, class Result>
struct RequestPayload {
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Result>, const CompletionInfo&) &&>;
  using OnPart = absl::AnyInvocable<void(Result&&)>;

  RequestPayload(Request&& r, Callback&& c) : request(std::move(r)), callback(std::move(c)) {}

  Request request;
  Callback callback;
  OnPart on_part;
};

// noexcept: a callback that throws ends the process, as the door says.
template <class Request, class Result>
void FinishRequest(RequestPayload<Request, Result>& payload, absl::StatusOr<Result> result,
                   const CompletionInfo& info, Executor* executor) noexcept {
  auto callback = std::move(payload.callback);
  payload.callback = nullptr;
  if (executor == nullptr) {
    CallbackScope scope;
    std::move(callback)(std::move(result), info);
    return;
  }
  executor->Schedule(
      [callback = std::move(callback), result = std::move(result), info]() mutable noexcept {
        CallbackScope scope;
        std::move(callback)(std::move(result), info);
      });
}

template <class Request, class Result>
inline constexpr RequestOps kRequestOps = {
    sizeof(RequestPayload<Request, Result>), alignof(RequestPayload<Request, Result>),
    [](void* payload, absl::Status status, const CompletionInfo& info, Executor* executor) {
      FinishRequest(*static_cast<RequestPayload<Request, Result>*>(payload),
                    absl::StatusOr<Result>(std::move(status)), info, executor);
    },
    [](void* payload) {
      using Payload = RequestPayload<Request, Result>;
      static_cast<Payload*>(payload)->~Payload();
    }};

}  // namespace penstock::internal

#endif  // PENSTOCK_INTERNAL_BATCHER_PAYLOAD_H_
