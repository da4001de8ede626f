// SPDX-License-Identifier: Apache-2.0
#include "main_job/report.h"

#include <algorithm>
#include <cinttypes>
#include <fstream>

namespace penstock::main_job {
namespace {

double Percent(double part, double whole) { return whole == 0 ? 0 : 100 * part / whole; }
double Millis(uint64_t us) { return static_cast<double>(us) / 1000; }

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof(code), "\\u%04x", c);
      out += code;
    } else {
      out += c;
    }
  }
  return out;
}

void PrintTimes(const char* name, const Histogram& us, std::FILE* out) {
  std::fprintf(out, "  %-28s %6" PRIu64 "   p50 %9.1f ms   p99 %9.1f ms   max %9.1f ms\n", name,
               us.count(), Millis(us.Quantile(0.5)), Millis(us.Quantile(0.99)), Millis(us.max()));
}

void PrintRequests(const ArmReport& arm, std::FILE* out) {
  size_t ok = 0, bad_lines = 0, failed = 0;
  for (const JobRecord& r : arm.records) {
    ++(r.status.ok() ? ok : r.readable ? failed : bad_lines);
  }
  std::fprintf(out, "requests     %zu read: %zu served, %zu failed, %zu lines could not be read\n",
               arm.records.size(), ok, failed, bad_lines);
  size_t shown = 0;
  for (const JobRecord& r : arm.records) {
    if (r.status.ok()) continue;
    if (++shown > 20) continue;
    std::fprintf(out, "  line %zu: %s\n", r.line, r.status.ToString().c_str());
  }
  if (shown > 20) std::fprintf(out, "  … and %zu more\n", shown - 20);
}

void PrintTokens(const JobReport& report, std::FILE* out) {
  const PipelineStats& s = report.reuse.stats;
  const CachedTokenizerStats& t = report.reuse.tokenizer;
  const KVScopeStats& kv = s.kv_cache.total;
  std::fprintf(
      out,
      "tokens       %" PRIu64 " of %" PRIu64 " prefills; %" PRIu64 " reused, %" PRIu64
      " computed (%.1f %% saved)\n",
      s.dispatched_tokens, s.parts, s.cached_tokens, s.dispatched_tokens - s.cached_tokens,
      Percent(static_cast<double>(s.cached_tokens), static_cast<double>(s.dispatched_tokens)));
  std::fprintf(out, "  tokenizer cache   %" PRIu64 " hits, %" PRIu64 " misses, %zu KiB\n", t.hits,
               t.misses, t.bytes >> 10);
  std::fprintf(
      out,
      "  KV cache          %.1f %% of tokens hit (%.1f %% in copied parts of blocks); "
      "%.1f %% seen at the peek\n",
      Percent(static_cast<double>(kv.hit_tokens), static_cast<double>(kv.requested_tokens)),
      Percent(static_cast<double>(kv.partial_tokens), static_cast<double>(kv.requested_tokens)),
      Percent(static_cast<double>(s.peeked_tokens), static_cast<double>(s.prompt_tokens)));
  std::fprintf(out,
               "                    %" PRIu64 " blocks cached, %" PRIu64 " evicted, %" PRIu64
               " computed twice, %" PRIu64 " scopes, %" PRIu64 " leases waited for room\n",
               kv.cached_blocks, kv.evicted_blocks, s.kv_cache.deduped_blocks, s.kv_cache.scopes,
               s.put_back);
  size_t parts = 0;
  for (const JobRecord& r : report.reuse.records) parts += r.parts.size() > 1 ? r.parts.size() : 0;
  std::fprintf(out, "chunks       %" PRIu64 " prompts over %zu tokens, split into %zu parts\n",
               s.split_requests, report.max_prompt_tokens, parts);
}

void PrintBatches(const ArmReport& arm, std::FILE* out) {
  const BatcherStats& b = arm.stats.batcher;
  uint64_t batches = 0;
  for (const uint64_t n : b.batches) batches += n;
  std::fprintf(out, "batches      %" PRIu64 ", %.1f requests each (largest %" PRIu64 "); left as",
               batches, b.batch_size.mean(), b.batch_size.max());
  for (size_t r = 0; r < kReleaseReasons; ++r) {
    if (b.batches[r] == 0) continue;
    std::fprintf(out, " %s %" PRIu64,
                 std::string(ReleaseReasonName(static_cast<ReleaseReason>(r))).c_str(),
                 b.batches[r]);
  }
  std::fprintf(out, "\n  padding           %.1f %% if rows were padded to the longest\n",
               100 - Percent(static_cast<double>(arm.compute_tokens),
                             static_cast<double>(std::max<size_t>(1, arm.padded_tokens))));
}

// Least squares over the quiet samples: milliseconds = fixed + slope * computed tokens.
void PrintProportion(const std::vector<QuietSample>& samples, std::FILE* out) {
  if (samples.size() < 3) return;
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  for (const QuietSample& s : samples) {
    const double x = static_cast<double>(s.computed_tokens), y = s.ttft_ms;
    n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y, syy += y * y;
  }
  const double vx = sxx - sx * sx / n, vy = syy - sy * sy / n, cov = sxy - sx * sy / n;
  if (vx <= 0 || vy <= 0) return;
  const double slope = cov / vx;
  std::fprintf(out, "alone in the pipeline, %zu prefills: time to first token by tokens computed\n",
               samples.size());
  constexpr size_t kEdges[] = {0, 32, 64, 128, 256, 512, 1024, SIZE_MAX};
  for (size_t e = 0; e + 1 < std::size(kEdges); ++e) {
    double count = 0, computed = 0, prompt = 0, ms = 0;
    for (const QuietSample& s : samples) {
      if (s.computed_tokens <= kEdges[e] || s.computed_tokens > kEdges[e + 1]) continue;
      count += 1, ms += s.ttft_ms;
      computed += static_cast<double>(s.computed_tokens);
      prompt += static_cast<double>(s.prompt_tokens);
    }
    if (count == 0) continue;
    std::fprintf(out, "  %3.0f prefills of %6.1f tokens, %6.1f computed   mean %8.2f ms\n", count,
                 prompt / count, computed / count, ms / count);
  }
  std::fprintf(out, "  fit: %.2f ms + %.4f ms a token computed, R² %.3f\n", (sy - slope * sx) / n,
               slope, cov * cov / (vx * vy));
}

}  // namespace

void PrintReport(const JobReport& report, std::FILE* out) {
  const PipelineStats& s = report.reuse.stats;
  std::fprintf(out, "\npenstock: the main job\n");
  std::fprintf(out, "input        %s\n", report.input_name.c_str());
  std::fprintf(out, "tokenizer    %s, %zu ids\n", report.tokenizer_name.c_str(), report.vocabulary);
  std::fprintf(out, "model        %s\n", report.model_name.c_str());
  PrintRequests(report.reuse, out);
  PrintTokens(report, out);
  PrintBatches(report.reuse, out);
  std::fprintf(out, "times, %zu requests in flight\n", report.max_in_flight);
  PrintTimes("queue delay", s.stage(PipelineStage::kBatch).queue_delay_us, out);
  PrintTimes("first token, prefix reused", s.time_to_first_token_reused_us, out);
  PrintTimes("first token, nothing to reuse", s.time_to_first_token_fresh_us, out);
  PrintTimes("first token, all", s.time_to_first_token_us, out);
  if (report.checked) {
    PrintTimes("  the same without reuse", report.fresh.stats.time_to_first_token_us, out);
  }
  std::fprintf(out, "stages                        service p50        p99\n");
  for (size_t i = 0; i < kPipelineStages; ++i) {
    const Histogram& us = s.stages[i].service_us;
    if (us.count() == 0) continue;
    std::fprintf(out, "  %-12s %8" PRIu64 "   %9.3f ms %9.3f ms\n",
                 std::string(PipelineStageName(static_cast<PipelineStage>(i))).c_str(), us.count(),
                 Millis(us.Quantile(0.5)), Millis(us.Quantile(0.99)));
  }
  PrintProportion(report.quiet, out);
  std::fprintf(out, "whole job    %.1f s with reuse", absl::ToDoubleSeconds(report.reuse.elapsed));
  if (report.checked) {
    std::fprintf(out, ", %.1f s without", absl::ToDoubleSeconds(report.fresh.elapsed));
  }
  std::fprintf(out, "\n");
  if (!report.checked) {
    std::fprintf(out, "logits       not compared (--no-check)\n");
  } else if (report.different == 0) {
    std::fprintf(out, "logits       equal bit for bit with and without reuse, %zu prefills\n",
                 report.compared);
  } else {
    std::fprintf(out, "logits       DIFFER in %zu of %zu prefills\n", report.different,
                 report.compared);
  }
}

absl::Status WriteResults(const JobReport& report, const std::string& path) {
  std::ofstream file(path);
  const auto ms = [](absl::Duration d) { return std::to_string(absl::ToDoubleMilliseconds(d)); };
  for (const JobRecord& r : report.reuse.records) {
    file << "{\"id\": \"" << Escaped(r.id) << "\", \"line\": " << r.line;
    if (!r.status.ok()) {
      file << ", \"error\": \"" << Escaped(r.status.ToString()) << "\"}\n";
      continue;
    }
    file << ", \"parts\": [";
    for (size_t i = 0; i < r.parts.size(); ++i) {
      const PipelinePart& p = r.parts[i];
      file << (i == 0 ? "" : ", ") << "{\"prompt_tokens\": " << p.prompt_tokens
           << ", \"cached_tokens\": " << p.cached_tokens
           << ", \"first_token\": " << (p.result.output_ids.empty() ? -1 : p.result.output_ids[0])
           << ", \"batch_size\": " << p.batch_size << ", \"release_reason\": \""
           << ReleaseReasonName(p.release_reason) << "\", \"queue_delay_ms\": " << ms(p.queue_delay)
           << ", \"time_to_first_token_ms\": " << ms(p.time_to_first_token) << "}";
    }
    file << "]}\n";
  }
  file.close();
  if (!file) return absl::UnavailableError(path + ": cannot be written");
  return absl::OkStatus();
}

}  // namespace penstock::main_job
