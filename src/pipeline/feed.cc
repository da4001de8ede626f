// SPDX-License-Identifier: Apache-2.0
#include "penstock/pipeline/feed.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "penstock/base/status_macros.h"
#include "pipeline/ack_tracker.h"

namespace penstock {

absl::Status FeedOptions::Validate() const {
  const std::pair<const char*, size_t> at_least_one[] = {{"max_in_flight", max_in_flight},
                                                         {"max_fetch_records", max_fetch_records},
                                                         {"max_fetch_bytes", max_fetch_bytes},
                                                         {"max_attempts", max_attempts}};
  for (const auto& [name, value] : at_least_one) {
    if (value == 0) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": 0, expected at least 1"));
    }
  }
  if (idle_poll <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("idle_poll: ", absl::FormatDuration(idle_poll), ", expected more than 0"));
  }
  if (clock == nullptr) return absl::InvalidArgumentError("clock: null, expected one");
  return absl::OkStatus();
}

// What callbacks leave behind (guarded by `mu`) is taken by Poll; everything else is Poll's alone.
struct Feed::Rep : std::enable_shared_from_this<Feed::Rep> {
  struct Item {
    int32_t partition = 0;
    uint64_t assignment = 0;
    int64_t offset = 0;
    std::string payload;
    size_t attempts = 0;
    bool at_sink = false;
    PipelineTicket ticket;
  };
  struct Partition {
    uint64_t assignment = 1;
    internal::AckTracker tracker;
  };
  struct Event {  // a result from the pipeline, or what the sink said
    uint64_t serial = 0;
    std::optional<absl::StatusOr<PipelineResult>> result;
    absl::Status written;
  };

  void Push(Event event) {
    {
      internal::MutexLock lock(mu);
      events.push_back(std::move(event));
    }
    bell.Ring();
  }
  bool TakeEvents(std::vector<Event>* out) {
    internal::MutexLock lock(mu);
    out->clear();
    out->swap(events);
    return !out->empty();
  }
  template <class Change>
  void Count(Change change) {
    internal::MutexLock lock(mu);
    change(&stats);
  }

  bool Current(const Item& item) {
    return partitions[item.partition].assignment == item.assignment;
  }
  void OnResult(uint64_t serial, Item* item, absl::StatusOr<PipelineResult> result);
  void WriteResult(uint64_t serial, Item* item, absl::StatusOr<PipelineResult> result);
  void OnWritten(uint64_t serial, Item* item, const absl::Status& status);
  void Revoke(int32_t partition);
  void Fetch(size_t* done);
  void SubmitWaiting(size_t* done);
  bool Refused(uint64_t serial, Item* item, const absl::Status& status);
  void Abandon(uint64_t serial);
  void AbandonAll();

  Pipeline* pipeline = nullptr;
  Source* source = nullptr;
  Sink* sink = nullptr;
  Decode decode;
  FeedOptions options;

  std::unordered_map<uint64_t, Item> items;
  std::deque<uint64_t> waiting;  // to be submitted
  std::map<int32_t, Partition> partitions;
  uint64_t next_serial = 1;
  bool closing = false;  // fetches nothing new
  bool ended = false;    // the source said so
  absl::Status fetch_error;
  absl::Status failed;

  internal::Mutex mu;
  Bell bell;
  std::vector<Event> events ABSL_GUARDED_BY(mu);
  FeedStats stats ABSL_GUARDED_BY(mu);
  bool stop ABSL_GUARDED_BY(mu) = false;
};

void Feed::Rep::OnResult(uint64_t serial, Item* item, absl::StatusOr<PipelineResult> result) {
  if (!Current(*item)) {
    items.erase(serial);
    Count([](FeedStats* s) { ++s->revoked, --s->in_flight; });
    return;
  }
  if (absl::IsUnavailable(result.status())) {  // shutting down: whoever comes next does it
    closing = true;
    Abandon(serial);
    return;
  }
  if (absl::IsResourceExhausted(result.status()) && item->attempts < options.max_attempts) {
    Count([](FeedStats* s) { ++s->retries; });
    waiting.push_back(serial);
    return;
  }
  WriteResult(serial, item, std::move(result));
}

void Feed::Rep::WriteResult(uint64_t serial, Item* item, absl::StatusOr<PipelineResult> result) {
  item->at_sink = true;
  if (!result.ok()) Count([](FeedStats* s) { ++s->write_errors; });
  SinkRecord record{item->partition, item->offset, std::move(item->payload), std::move(result)};
  sink->Write(std::move(record), [self = shared_from_this(), serial](absl::Status status) {
    self->Push(Event{serial, std::nullopt, std::move(status)});
  });
}

void Feed::Rep::OnWritten(uint64_t serial, Item* item, const absl::Status& status) {
  if (!status.ok()) {
    failed =
        absl::Status(status.code(), absl::StrCat("sink, partition ", item->partition, ", offset ",
                                                 item->offset, ": ", status.message()));
    return;
  }
  if (Current(*item)) {
    const std::optional<int64_t> next = partitions[item->partition].tracker.Done(item->offset);
    if (next.has_value()) {
      Count([](FeedStats* s) { ++s->acknowledgements; });
      failed = source->Acknowledge(item->partition, *next);
    }
  }
  items.erase(serial);
  Count([](FeedStats* s) { ++s->written, --s->in_flight; });
}

void Feed::Rep::Revoke(int32_t partition) {
  Partition& p = partitions[partition];
  ++p.assignment;
  p.tracker = internal::AckTracker();
  std::vector<PipelineTicket> tickets;
  const auto gone = [&](uint64_t serial) {
    if (Current(items[serial])) return false;
    items.erase(serial);
    Count([](FeedStats* s) { ++s->revoked, --s->in_flight; });
    return true;
  };
  waiting.erase(std::remove_if(waiting.begin(), waiting.end(), gone), waiting.end());
  for (const auto& [serial, item] : items) {
    if (item.partition == partition && !item.at_sink) tickets.push_back(item.ticket);
  }
  for (const PipelineTicket& ticket : tickets) pipeline->Cancel(ticket);
}

void Feed::Rep::Fetch(size_t* done) {
  const size_t credit =
      closing ? 0 : options.max_in_flight - std::min(options.max_in_flight, items.size());
  if (credit == 0) Count([](FeedStats* s) { ++s->paused_polls; });
  FetchResult fetched;
  fetch_error =
      source->Fetch(std::min(credit, options.max_fetch_records), options.max_fetch_bytes, &fetched);
  ended = ended || fetched.ended;
  for (const int32_t partition : fetched.revoked) Revoke(partition);
  *done += fetched.revoked.size() + fetched.records.size();
  for (SourceRecord& record : fetched.records) {
    Partition& p = partitions[record.partition];
    if (!p.tracker.Add(record.offset)) {
      Count([](FeedStats* s) { ++s->fetched, ++s->duplicates; });
      continue;
    }
    Count([](FeedStats* s) { ++s->fetched, ++s->in_flight; });
    Item item;
    item.partition = record.partition;
    item.assignment = p.assignment;
    item.offset = record.offset;
    item.payload = std::move(record.payload);
    waiting.push_back(next_serial);
    items.emplace(next_serial++, std::move(item));
  }
}

// What a refused Submit means for the record. True: go on with the next one.
bool Feed::Rep::Refused(uint64_t serial, Item* item, const absl::Status& status) {
  if (absl::IsUnavailable(status)) {
    closing = true;
    Abandon(serial);
    return true;
  }
  // Full: later. Unless nothing is in there, and then this request will never fit.
  if (absl::IsResourceExhausted(status) && pipeline->GetStats().in_flight > 0) {
    waiting.push_front(serial);
    return false;
  }
  WriteResult(serial, item, status);
  return true;
}

void Feed::Rep::SubmitWaiting(size_t* done) {
  while (!waiting.empty()) {
    const uint64_t serial = waiting.front();
    waiting.pop_front();
    Item& item = items[serial];
    ++*done;
    absl::StatusOr<PipelineRequest> request =
        decode(SourceRecord{item.partition, item.offset, item.payload});
    if (!request.ok()) {
      WriteResult(serial, &item, request.status());
      continue;
    }
    absl::StatusOr<PipelineTicket> ticket =
        pipeline->Submit(*std::move(request), [self = shared_from_this(), serial](auto result) {
          self->Push(Event{serial, std::move(result), absl::OkStatus()});
        });
    if (ticket.ok()) {
      ++item.attempts;
      item.ticket = *ticket;
    } else if (!Refused(serial, &item, ticket.status())) {
      --*done;
      return;
    }
  }
}

// Gives a record up: unacknowledged, so that it comes again.
void Feed::Rep::Abandon(uint64_t serial) {
  items.erase(serial);
  Count([](FeedStats* s) { ++s->abandoned, --s->in_flight; });
}

void Feed::Rep::AbandonAll() {
  closing = true;
  waiting.clear();
  std::unordered_map<uint64_t, Item> all;
  all.swap(items);
  for (auto& [serial, item] : all) {
    Count([](FeedStats* s) { ++s->abandoned, --s->in_flight; });
    if (!item.at_sink) pipeline->Cancel(item.ticket);
  }
}

Feed::Feed(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
Feed::Feed(Feed&&) noexcept = default;
Feed& Feed::operator=(Feed&& other) noexcept {
  if (this != &other) {
    if (rep_ != nullptr) rep_->AbandonAll();
    rep_ = std::move(other.rep_);
  }
  return *this;
}
Feed::~Feed() {
  if (rep_ != nullptr) rep_->AbandonAll();
}

absl::StatusOr<Feed> Feed::Create(Pipeline* pipeline, Source* source, Sink* sink, Decode decode,
                                  const FeedOptions& options) {
  PENSTOCK_RETURN_IF_ERROR(options.Validate());
  const char* const missing = pipeline == nullptr ? "pipeline"
                              : source == nullptr ? "source"
                              : sink == nullptr   ? "sink"
                              : decode == nullptr ? "decode"
                                                  : nullptr;
  if (missing != nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("Feed: ", missing, " is null, expected one"));
  }
  auto rep = std::make_shared<Rep>();
  rep->pipeline = pipeline;
  rep->source = source;
  rep->sink = sink;
  rep->decode = std::move(decode);
  rep->options = options;
  return Feed(std::move(rep));
}

absl::StatusOr<size_t> Feed::Poll() {
  Rep& r = *rep_;
  if (!r.failed.ok()) return r.failed;
  size_t done = 0;
  std::vector<Rep::Event> events;
  while (r.failed.ok() && r.TakeEvents(&events)) {
    for (Rep::Event& event : events) {
      const auto found = r.items.find(event.serial);
      if (found == r.items.end() || !r.failed.ok()) continue;
      ++done;
      if (event.result.has_value()) {
        r.OnResult(event.serial, &found->second, *std::move(event.result));
      } else {
        r.OnWritten(event.serial, &found->second, event.written);
      }
    }
  }
  if (r.failed.ok() && r.fetch_error.ok() && !r.ended) {
    r.Fetch(&done);
    if (!r.fetch_error.ok()) r.closing = true;
  }
  if (r.failed.ok()) r.SubmitWaiting(&done);
  if (r.failed.ok() && !r.fetch_error.ok() && r.items.empty()) r.failed = r.fetch_error;
  if (!r.failed.ok()) {
    r.AbandonAll();
    return r.failed;
  }
  return done;
}

absl::Status Feed::Run() {
  Rep& r = *rep_;
  while (true) {
    {
      internal::MutexLock lock(r.mu);
      if (r.stop) return absl::OkStatus();
    }
    PENSTOCK_ASSIGN_OR_RETURN(const size_t done, Poll());
    if ((r.ended || r.closing) && r.items.empty()) return absl::OkStatus();
    if (done == 0) {
      r.options.clock->WaitUntil(r.bell, r.options.clock->Now() + r.options.idle_poll);
    }
  }
}

void Feed::Stop() {
  {
    internal::MutexLock lock(rep_->mu);
    rep_->stop = true;
  }
  rep_->bell.Ring();
}

absl::Status Feed::Drain(absl::Duration budget) {
  Rep& r = *rep_;
  const MonoTime deadline = r.options.clock->Now() + std::max(budget, absl::ZeroDuration());
  r.closing = true;
  while (true) {
    PENSTOCK_ASSIGN_OR_RETURN(const size_t done, Poll());
    if (r.items.empty()) return absl::OkStatus();
    const MonoTime now = r.options.clock->Now();
    if (now >= deadline) {
      const size_t left = r.items.size();
      r.AbandonAll();
      return absl::DeadlineExceededError(absl::StrCat(left, " records did not leave within ",
                                                      absl::FormatDuration(budget),
                                                      " and stay unacknowledged"));
    }
    if (done == 0) {
      r.options.clock->WaitUntil(r.bell, std::min(deadline, now + r.options.idle_poll));
    }
  }
}

FeedStats Feed::GetStats() const {
  internal::MutexLock lock(rep_->mu);
  return rep_->stats;
}

}  // namespace penstock
