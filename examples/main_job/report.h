// SPDX-License-Identifier: Apache-2.0
//
// What the main job measured, and how it is told: a page for people, JSON Lines for programs.
//
//   JobReport report;
//   … run …
//   PrintReport(report, stdout);
//   WriteResults(report, "results.jsonl");        // kUnavailable: cannot be written
#ifndef PENSTOCK_EXAMPLES_MAIN_JOB_REPORT_H_
#define PENSTOCK_EXAMPLES_MAIN_JOB_REPORT_H_

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "penstock/pipeline.h"
#include "penstock/tokenizer/cached_tokenizer.h"

namespace penstock::main_job {

// One line of the input.
struct JobRecord {
  size_t line = 0;
  std::string id;
  bool readable = true;             // false: `status` says what is wrong with the line
  absl::Status status;              // of reading the line, or of the request
  std::vector<PipelinePart> parts;  // empty unless OK
};

// The same requests through the pipeline once.
struct ArmReport {
  std::vector<JobRecord> records;  // in the order of the input
  PipelineStats stats;
  CachedTokenizerStats tokenizer;
  absl::Duration elapsed;
  size_t compute_tokens = 0, padded_tokens = 0;  // as the runner saw them
};

// One request alone in the pipeline.
struct QuietSample {
  size_t prompt_tokens = 0, computed_tokens = 0;
  double ttft_ms = 0;
};

struct JobReport {
  std::string tokenizer_name, model_name, input_name;
  size_t vocabulary = 0, max_prompt_tokens = 0, max_in_flight = 0;
  ArmReport reuse, fresh;  // fresh: nothing is reused; its records are empty if it did not run
  bool checked = false;
  size_t compared = 0, different = 0;  // prefills of both arms whose logits were compared
  std::vector<QuietSample> quiet;
};

void PrintReport(const JobReport& report, std::FILE* out);

// One JSON object a request, in the order of the input.
absl::Status WriteResults(const JobReport& report, const std::string& path);

}  // namespace penstock::main_job

#endif  // PENSTOCK_EXAMPLES_MAIN_JOB_REPORT_H_
