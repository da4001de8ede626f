// SPDX-License-Identifier: Apache-2.0
//
// Reading the main job's input: JSON Lines of requests, and the template that turns messages into
// segments. What both look like: examples/data/README.md.
//
//   absl::StatusOr<ChatTemplate> chat = ChatTemplate::Load("template.json");
//   RequestReader reader(&std::cin, &*chat);
//   while (std::optional<RequestLine> line = reader.Next()) {
//     if (!line->request.ok()) std::cerr << line->number << line->request.status();
//   }                                             // 3 INVALID_ARGUMENT: "id": missing or empty, …
#ifndef PENSTOCK_EXAMPLES_MAIN_JOB_REQUESTS_H_
#define PENSTOCK_EXAMPLES_MAIN_JOB_REQUESTS_H_

#include <cstddef>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "penstock/pipeline/request.h"

namespace penstock::main_job {

struct Message {
  std::string role, content;
};

// Immutable; safe to share.
class ChatTemplate {
 public:
  // kNotFound: no such file. kInvalidArgument: not a template; says what is missing or too much.
  static absl::StatusOr<ChatTemplate> Load(const std::string& path);

  // What the template says is trusted, what the messages say is not. kInvalidArgument: a role that
  // the template does not know.
  absl::StatusOr<std::vector<OwnedSegment>> Apply(const std::vector<Message>& messages) const;
  std::vector<OwnedSegment> ApplyToPrompt(std::string prompt) const;

 private:
  struct Around {
    std::string prefix, suffix;
  };
  std::string begin_, end_, default_system_;
  Around prompt_;
  std::map<std::string, Around> roles_;
};

struct RequestLine {
  size_t number = 0;  // of the line, from 1
  std::string id;     // as far as it could be read
  absl::StatusOr<PipelineRequest> request;
};

// One pass over a stream of lines. Thread-compatible: const calls may run concurrently, others need
// external synchronization.
class RequestReader {
 public:
  RequestReader(std::istream* in, const ChatTemplate* chat);
  ~RequestReader();

  // The next request or what is wrong with its line; blank lines are passed over. nullopt: the end.
  std::optional<RequestLine> Next();

 private:
  struct Parser;
  bool ReadLine();
  absl::StatusOr<PipelineRequest> Parse(std::string* id);

  std::istream* in_;
  const ChatTemplate* chat_;
  std::unique_ptr<Parser> parser_;
  std::string line_;
  bool too_long_ = false;
  size_t number_ = 0;
  std::unordered_set<std::string> ids_;
};

}  // namespace penstock::main_job

#endif  // PENSTOCK_EXAMPLES_MAIN_JOB_REQUESTS_H_
