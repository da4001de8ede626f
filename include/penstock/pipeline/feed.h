// SPDX-License-Identifier: Apache-2.0
//
// Feed: a log through a pipeline. Records in from a Source, results out to a Sink, and a record
// acknowledged only when its result left.
//
//   auto decode = [](const SourceRecord& r) -> absl::StatusOr<PipelineRequest> { … };
//   PENSTOCK_ASSIGN_OR_RETURN(Feed feed, Feed::Create(&pipeline, &source, &sink, decode));
//   std::thread thread([&] { status = feed.Run(); });        // or call Poll() from a loop of yours
//   feed.Stop();  thread.join();
//   feed.Drain(absl::Seconds(5));                            // finish what was fetched
//
//   Feed::Create(&pipeline, nullptr, &sink, decode);         // kInvalidArgument: source is null
//
// Acknowledgement is by low-water mark: results may leave in any order, but a partition is
// acknowledged up to its oldest record whose result has not left. So after a crash, a revocation or
// an error every record whose result did not leave comes again, and some whose result did: at least
// once, never less.
//
// Back-pressure: at most max_in_flight records are between Fetch and Acknowledge. Without credit
// the source is asked for nothing (but still polled, so that its session lives).
//
// Revocation: requests of a partition that was taken away are cancelled; results of them that come
// all the same are dropped, neither written nor acknowledged. The partition may come back, and
// starts again from its last acknowledgement. A record that is delivered twice within one
// assignment is processed once.
//
// What is retried: kResourceExhausted (a full queue, no room), max_attempts times. What is not
// written: kUnavailable from a pipeline that shuts down; those records stay unacknowledged.
#ifndef PENSTOCK_PIPELINE_FEED_H_
#define PENSTOCK_PIPELINE_FEED_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/attributes.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "penstock/base/clock.h"
#include "penstock/base/export.h"
#include "penstock/pipeline.h"
#include "penstock/pipeline/sink.h"
#include "penstock/pipeline/source.h"

namespace penstock {

struct FeedOptions {
  size_t max_in_flight = 256;  // records fetched and not acknowledged or given up: the credit
  size_t max_fetch_records = 64;
  size_t max_fetch_bytes = size_t{4} << 20;
  size_t max_attempts = 3;  // of one record, while the pipeline answers kResourceExhausted

  // Run() asks the source again after this long when nothing happened.
  absl::Duration idle_poll = absl::Milliseconds(20);
  Clock* clock = Clock::Real();

  // kInvalidArgument: names the field, the value and what was expected.
  PENSTOCK_EXPORT absl::Status Validate() const;
};

// Since creation. Conservation: fetched == duplicates + written + revoked + abandoned + in_flight.
struct FeedStats {
  uint64_t fetched = 0;
  uint64_t duplicates = 0;    // delivered again within one assignment, or acknowledged before
  uint64_t written = 0;       // the sink said OK
  uint64_t write_errors = 0;  // of `written`: the result was an error (dead letters)
  uint64_t revoked = 0;       // their partition was taken away first
  uint64_t abandoned = 0;     // left unacknowledged: shutdown, or the sink refused
  uint64_t in_flight = 0;
  uint64_t retries = 0;
  uint64_t acknowledgements = 0;
  uint64_t paused_polls = 0;  // Fetch without credit

  bool conserved() const {
    return fetched == duplicates + written + revoked + abandoned + in_flight;
  }
};

// Move-only. Poll, Run and Drain are called by one thread at a time; Stop and GetStats by any.
// Outlived by pipeline, source and sink.
class PENSTOCK_EXPORT Feed {
 public:
  using Decode = absl::AnyInvocable<absl::StatusOr<PipelineRequest>(const SourceRecord&) const>;

  // kInvalidArgument: a null argument, or an option out of range.
  static absl::StatusOr<Feed> Create(Pipeline* pipeline ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                     Source* source ABSL_ATTRIBUTE_LIFETIME_BOUND,
                                     Sink* sink ABSL_ATTRIBUTE_LIFETIME_BOUND, Decode decode,
                                     const FeedOptions& options = FeedOptions());
  Feed(Feed&&) noexcept;
  Feed& operator=(Feed&&) noexcept;
  ~Feed();  // cancels what is in flight; nothing of it is acknowledged

  // One round: results to the sink, acknowledgements to the source, new records to the pipeline as
  // credit allows. Never waits. Returns how many things it did; 0: nothing to do now.
  // Errors are the source's or the sink's own, and stay: the feed has stopped.
  absl::StatusOr<size_t> Poll();

  // Polls until Stop(), an error, or the source has ended and everything has left. OK otherwise.
  absl::Status Run();
  void Stop();

  // Fetches nothing new, finishes what is in flight. kDeadlineExceeded: not within `budget`; the
  // rest stays unacknowledged. Otherwise as Poll.
  absl::Status Drain(absl::Duration budget);

  FeedStats GetStats() const;

 private:
  struct Rep;
  explicit Feed(std::shared_ptr<Rep> rep);
  std::shared_ptr<Rep> rep_;
};

}  // namespace penstock

#endif  // PENSTOCK_PIPELINE_FEED_H_
