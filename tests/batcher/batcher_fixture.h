// SPDX-License-Identifier: Apache-2.0
//
// A Batcher without threads on a clock that stands still: every step is the test's own.
#ifndef PENSTOCK_TESTS_BATCHER_BATCHER_FIXTURE_H_
#define PENSTOCK_TESTS_BATCHER_BATCHER_FIXTURE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "penstock/batcher.h"
#include "penstock/testing/manual_clock.h"
#include "tests/support/status_matchers.h"

namespace penstock {

using StringBatch = Batch<std::string, std::string>;
using StringBatcher = Batcher<std::string, std::string>;

// How requests ended, by name; fails the test if one ends twice.
class Results {
 public:
  struct Result {
    absl::StatusOr<std::string> value = absl::UnknownError("none yet");
    CompletionInfo info;
  };

  StringBatcher::Callback For(const std::string& name) {
    return [this, name](absl::StatusOr<std::string> value, const CompletionInfo& info) {
      EXPECT_EQ(by_name_.count(name), 0u) << name << " ended twice";
      by_name_[name] = {std::move(value), info};
      order_.push_back(name);
    };
  }
  bool has(const std::string& name) const { return by_name_.count(name) != 0; }
  const Result& operator[](const std::string& name) { return by_name_[name]; }
  Outcome outcome(const std::string& name) const {
    EXPECT_TRUE(has(name)) << name << " has not ended";
    return has(name) ? by_name_.at(name).info.outcome : Outcome::kOk;
  }
  const std::vector<std::string>& order() const { return order_; }
  size_t size() const { return order_.size(); }

 private:
  std::map<std::string, Result> by_name_;
  std::vector<std::string> order_;
};

class BatcherFixture : public testing::Test {
 protected:
  BatcherOptions Options() {
    BatcherOptions options;
    options.clock = &clock_;
    options.former_thread = false;
    return options;
  }

  // A runtime that keeps its batches until the test completes them.
  void Create(const BatcherOptions& options, StringBatcher::Degrade degrade = nullptr) {
    auto batcher = StringBatcher::Create(
        options, [this](StringBatch batch) { batches_.push_back(std::move(batch)); },
        std::move(degrade));
    ASSERT_OK(batcher);
    batcher_.emplace(*std::move(batcher));
  }

  absl::StatusOr<Ticket> Submit(const std::string& name, const SubmitOptions& options = {}) {
    return batcher_->Submit(std::string(name), options, results_.For(name));
  }

  static std::vector<std::string> Names(StringBatch& batch) {
    std::vector<std::string> names;
    for (size_t i = 0; i < batch.size(); ++i) names.push_back(batch.request(i));
    return names;
  }

  void CompleteAll(StringBatch& batch) {
    for (size_t i = 0; i < batch.size(); ++i) batch.Complete(i, batch.request(i) + "!");
  }

  // Completes the oldest batch and lets it die.
  void CompleteFirst() {
    ASSERT_FALSE(batches_.empty());
    CompleteAll(batches_.front());
    batches_.erase(batches_.begin());
  }

  ManualClock clock_;
  Results results_;
  std::vector<StringBatch> batches_;
  std::optional<StringBatcher> batcher_;
};

}  // namespace penstock

#endif  // PENSTOCK_TESTS_BATCHER_BATCHER_FIXTURE_H_
