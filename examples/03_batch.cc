// SPDX-License-Identifier: Apache-2.0
//
// Requests from several threads, batches for a runtime that gains from them: 2 ms a batch and 0.1
// ms a request, which is 480 a second one by one.
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "penstock/base/status_macros.h"
#include "penstock/batcher.h"

using namespace penstock;

namespace {

absl::Status Run() {
  BatcherOptions options;
  options.max_batch_requests = 32;
  options.max_queue_requests = 64;

  const auto run = [](Batch<int, std::string> batch) {
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + 100 * batch.size()));
    for (size_t i = 0; i < batch.size(); ++i) {
      batch.Complete(i, "answer " + std::to_string(batch.request(i)));
    }
  };
  PENSTOCK_ASSIGN_OR_RETURN(auto batcher, (Batcher<int, std::string>::Create(options, run)));

  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&batcher, client] {
      for (int i = 0; i < 250; ++i) {
        while (true) {
          const auto ticket = batcher.Submit(
              1000 * client + i, SubmitOptions(),
              [](absl::StatusOr<std::string> /*answer*/, const CompletionInfo& /*info*/) {});
          if (ticket.ok()) break;
          // Full: the request is still ours. The refusal may say when to come back.
          const absl::Duration wait = RetryAfter(ticket.status()).value_or(absl::Milliseconds(1));
          std::this_thread::sleep_for(absl::ToChronoNanoseconds(wait));
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  PENSTOCK_RETURN_IF_ERROR(batcher.Drain(absl::Seconds(5)));

  const BatcherStats stats = batcher.GetStats();
  std::printf("%llu requests answered in batches of %.1f, largest %llu\n",
              static_cast<unsigned long long>(stats.outcome(Outcome::kOk)), stats.batch_size.mean(),
              static_cast<unsigned long long>(stats.batch_size.max()));
  for (size_t reason = 0; reason < kReleaseReasons; ++reason) {
    if (stats.batches[reason] == 0) continue;
    std::printf("  %llu left: %s\n", static_cast<unsigned long long>(stats.batches[reason]),
                std::string(ReleaseReasonName(static_cast<ReleaseReason>(reason))).c_str());
  }
  std::printf("refused while the queue was full: %llu\n",
              static_cast<unsigned long long>(stats.rejected_by(RejectCause::kQueueFull)));
  return absl::OkStatus();
}

}  // namespace

int main() {
  const absl::Status status = Run();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
