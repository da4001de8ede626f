// SPDX-License-Identifier: Apache-2.0
#include "bench/kv_synthetic.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <random>

namespace penstock {
namespace {

constexpr size_t kRequests = 6000, kTokens = 512;

class Maker {
 public:
  explicit Maker(uint64_t seed) : rng_(seed) {}

  std::vector<TraceRequest> Make(const std::string& name) {
    if (name == "chat" || name == "flip") {
      Chats(name == "flip");
    } else {
      for (size_t r = 0; r < kRequests; ++r) Add(Pick(name, r));
    }
    return std::move(trace_);
  }

 private:
  using Blocks = std::vector<int32_t>;

  double Uniform() { return static_cast<double>(rng_() >> 11) / 9007199254740992.0; }
  size_t Below(size_t n) { return static_cast<size_t>(Uniform() * static_cast<double>(n)); }
  double Normal() {  // sum of twelve: exact on every machine
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum;
  }
  Blocks Fresh(size_t n) {
    Blocks blocks(n);
    for (int32_t& b : blocks) b = next_++;
    return blocks;
  }
  // A prompt of the group, made when it is asked for first.
  const Blocks& Prompt(size_t i) {
    if (i >= prompts_.size()) prompts_.resize(i + 1);
    if (prompts_[i].empty()) prompts_[i] = Fresh(8 + Below(17));
    return prompts_[i];
  }
  size_t Zipf(size_t n) {
    if (cumulated_.size() != n) {
      cumulated_.clear();
      double sum = 0;
      for (size_t k = 0; k < n; ++k) cumulated_.push_back(sum += 1 / static_cast<double>(k + 1));
    }
    const auto at =
        std::lower_bound(cumulated_.begin(), cumulated_.end(), Uniform() * cumulated_.back());
    return std::min(n - 1, static_cast<size_t>(at - cumulated_.begin()));
  }

  Blocks Pick(const std::string& name, size_t r) {
    if (name == "loop") return r % 5 == 4 ? Fresh(16) : Prompt((r - r / 5) % 200);
    if (name == "scan") return r % 900 >= 600 ? Fresh(16) : Prompt(Zipf(1000));
    if (name == "shift") return Prompt(r / 750 * 80 + Below(80));
    if (name == "zipf") return Prompt(Zipf(1000));
    // By rank in recency: the chance falls with the square root of the rank.
    const double rank = std::pow(Uniform(), 2) * 800;
    const auto back = static_cast<size_t>(rank);
    Blocks prompt = back < recent_.size() ? recent_[recent_.size() - 1 - back] : Fresh(16);
    if (back < recent_.size()) {
      recent_.erase(recent_.end() - 1 - static_cast<std::ptrdiff_t>(back));
    }
    recent_.push_back(prompt);
    return prompt;
  }

  void Add(Blocks blocks) {
    TraceRequest request;
    request.seconds = now_;
    now_ -= std::log(1 - Uniform()) / 3;
    request.input_tokens = blocks.size() * kTokens;
    request.blocks = std::move(blocks);
    trace_.push_back(std::move(request));
  }

  void Chats(bool flip) {
    struct Turn {
      double at;
      size_t turn;
      Blocks blocks;
      bool operator<(const Turn& other) const { return at > other.at; }
    };
    std::priority_queue<Turn> due;
    const Blocks system = Fresh(2);
    while (trace_.size() < kRequests) {
      Turn turn{now_, 0, system};
      if (!due.empty() && due.top().at <= now_) {
        turn = due.top();
        due.pop();
      }
      const Blocks more = Fresh(turn.turn == 0 ? 8 + Below(12) : 1 + Below(4));
      turn.blocks.insert(turn.blocks.end(), more.begin(), more.end());
      const bool early = trace_.size() / 1000 % 2 == 0;
      const double follow = flip ? ((turn.turn == 0) == early ? 0.8 : 0.05)
                                 : std::min(0.9, 0.35 + 0.15 * static_cast<double>(turn.turn));
      Add(turn.blocks);
      if (Uniform() < follow) {
        due.push({now_ + 60 * std::exp(0.8 * Normal()), turn.turn + 1, std::move(turn.blocks)});
      }
    }
  }

  std::mt19937_64 rng_;
  std::vector<TraceRequest> trace_;
  std::vector<Blocks> prompts_, recent_;
  std::vector<double> cumulated_;
  int32_t next_ = 0;
  double now_ = 0;
};

}  // namespace

const std::vector<std::string>& SyntheticNames() {
  static const auto* const names =
      new std::vector<std::string>{"loop", "scan", "shift", "zipf", "recent", "chat", "flip"};
  return *names;
}

std::vector<TraceRequest> MakeTrace(const std::string& name, uint64_t seed) {
  const std::vector<std::string>& names = SyntheticNames();
  if (std::find(names.begin(), names.end(), name) == names.end()) return {};
  return Maker(seed).Make(name);
}

}  // namespace penstock
