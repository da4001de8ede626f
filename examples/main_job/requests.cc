// SPDX-License-Identifier: Apache-2.0
#include "main_job/requests.h"

#include <simdjson.h>

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "penstock/base/status_macros.h"

namespace penstock::main_job {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr size_t kMaxLineBytes = size_t{64} << 20;

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

std::string Quoted(std::string_view key) { return "\"" + std::string(key) + "\""; }

absl::StatusOr<std::string> String(std::string_view key, const element& value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return Bad(Quoted(key) + ": expected a string");
  return std::string(text);
}

absl::StatusOr<object> Object(std::string_view key, const element& value) {
  object o;
  if (value.get(o) != simdjson::SUCCESS) return Bad(Quoted(key) + ": expected an object");
  return o;
}

absl::StatusOr<int64_t> Whole(std::string_view key, const element& value, int64_t low,
                              int64_t high) {
  int64_t number;
  if (value.get(number) != simdjson::SUCCESS || number < low || number > high) {
    return Bad(Quoted(key) + ": expected a whole number from " + std::to_string(low) + " to " +
               std::to_string(high));
  }
  return number;
}

absl::StatusOr<std::vector<Message>> Messages(const element& value) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS || list.size() == 0) {
    return Bad("\"messages\": expected an array of at least one message");
  }
  std::vector<Message> messages;
  bool any_text = false;
  for (const element item : list) {
    const std::string where = "messages[" + std::to_string(messages.size()) + "]";
    PENSTOCK_ASSIGN_OR_RETURN(const object fields, Object(where, item));
    Message message;
    for (const auto field : fields) {
      std::string* const target = field.key == "role"      ? &message.role
                                  : field.key == "content" ? &message.content
                                                           : nullptr;
      if (target == nullptr) return Bad(where + ": unknown key " + Quoted(field.key));
      PENSTOCK_ASSIGN_OR_RETURN(*target, String(where + "." + std::string(field.key), field.value));
    }
    if (message.role.empty()) return Bad(where + ": \"role\" is missing");
    any_text = any_text || !message.content.empty();
    messages.push_back(std::move(message));
  }
  if (!any_text) return Bad("\"messages\": all contents are empty, expected text");
  return messages;
}

}  // namespace

absl::StatusOr<ChatTemplate> ChatTemplate::Load(const std::string& path) {
  simdjson::dom::parser parser;
  element root;
  if (const auto error = parser.load(path).get(root); error != simdjson::SUCCESS) {
    if (error == simdjson::IO_ERROR) return absl::NotFoundError(path + ": cannot be read");
    return Bad(path + ": " + simdjson::error_message(error));
  }
  ChatTemplate chat;
  const auto around = [](std::string_view key, const element& value, Around* out) -> absl::Status {
    PENSTOCK_ASSIGN_OR_RETURN(const object fields, Object(key, value));
    for (const auto field : fields) {
      std::string* const target = field.key == "prefix"   ? &out->prefix
                                  : field.key == "suffix" ? &out->suffix
                                                          : nullptr;
      if (target == nullptr) return Bad(Quoted(key) + ": unknown key " + Quoted(field.key));
      PENSTOCK_ASSIGN_OR_RETURN(*target, String(field.key, field.value));
    }
    return absl::OkStatus();
  };
  const auto read = [&]() -> absl::Status {
    PENSTOCK_ASSIGN_OR_RETURN(const object fields, Object("template", root));
    for (const auto field : fields) {
      if (field.key == "begin") {
        PENSTOCK_ASSIGN_OR_RETURN(chat.begin_, String(field.key, field.value));
      } else if (field.key == "end") {
        PENSTOCK_ASSIGN_OR_RETURN(chat.end_, String(field.key, field.value));
      } else if (field.key == "default_system") {
        PENSTOCK_ASSIGN_OR_RETURN(chat.default_system_, String(field.key, field.value));
      } else if (field.key == "prompt") {
        PENSTOCK_RETURN_IF_ERROR(around(field.key, field.value, &chat.prompt_));
      } else if (field.key == "roles") {
        PENSTOCK_ASSIGN_OR_RETURN(const object roles, Object(field.key, field.value));
        for (const auto role : roles) {
          PENSTOCK_RETURN_IF_ERROR(
              around(role.key, role.value, &chat.roles_[std::string(role.key)]));
        }
      } else {
        return Bad("unknown key " + Quoted(field.key));
      }
    }
    if (chat.roles_.count("user") == 0) return Bad("\"roles\": \"user\" is missing");
    return absl::OkStatus();
  };
  const absl::Status status = read();
  if (!status.ok()) return Bad(path + ": " + std::string(status.message()));
  return chat;
}

absl::StatusOr<std::vector<OwnedSegment>> ChatTemplate::Apply(
    const std::vector<Message>& messages) const {
  std::vector<OwnedSegment> segments;
  std::string pending = begin_;  // trusted text up to the next message
  const auto add = [&](const std::string& role, const std::string& content, bool trusted) {
    const Around& around = roles_.at(role);
    pending += around.prefix;
    if (!pending.empty()) segments.push_back(TrustedText(std::move(pending)));
    if (!content.empty()) {
      segments.push_back(trusted ? TrustedText(content) : UntrustedText(content));
    }
    pending = around.suffix;
  };
  bool has_system = false;
  for (const Message& message : messages) {
    if (roles_.count(message.role) == 0) {
      std::string known;
      for (const auto& [role, around] : roles_) known += (known.empty() ? "" : ", ") + role;
      return Bad("role " + Quoted(message.role) + " is not in the template, expected one of " +
                 known);
    }
    has_system = has_system || message.role == "system";
  }
  if (!has_system && !default_system_.empty() && roles_.count("system") == 1) {
    add("system", default_system_, /*trusted=*/true);
  }
  for (const Message& message : messages) add(message.role, message.content, /*trusted=*/false);
  pending += end_;
  if (!pending.empty()) segments.push_back(TrustedText(std::move(pending)));
  return segments;
}

std::vector<OwnedSegment> ChatTemplate::ApplyToPrompt(std::string prompt) const {
  std::vector<OwnedSegment> segments;
  if (!prompt_.prefix.empty()) segments.push_back(TrustedText(prompt_.prefix));
  segments.push_back(UntrustedText(std::move(prompt)));
  if (!prompt_.suffix.empty()) segments.push_back(TrustedText(prompt_.suffix));
  return segments;
}

struct RequestReader::Parser {
  simdjson::dom::parser json;
};

RequestReader::RequestReader(std::istream* in, const ChatTemplate* chat)
    : in_(in), chat_(chat), parser_(std::make_unique<Parser>()) {}
RequestReader::~RequestReader() = default;

// A line without its end; of one that is too long only the beginning is kept.
bool RequestReader::ReadLine() {
  line_.clear();
  too_long_ = false;
  std::streambuf* const buffer = in_->rdbuf();
  bool any = false;
  for (int c = buffer->sbumpc(); c != std::char_traits<char>::eof(); c = buffer->sbumpc()) {
    any = true;
    if (c == '\n') break;
    if (line_.size() < kMaxLineBytes) {
      line_.push_back(static_cast<char>(c));
    } else {
      too_long_ = true;
    }
  }
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  return any;
}

absl::StatusOr<PipelineRequest> RequestReader::Parse(std::string* id) {
  if (too_long_) return Bad("longer than " + std::to_string(kMaxLineBytes) + " bytes");
  element root;
  if (const auto error = parser_->json.parse(line_).get(root); error != simdjson::SUCCESS) {
    return Bad(std::string("not JSON: ") + simdjson::error_message(error));
  }
  PipelineRequest request;
  std::optional<std::string> prompt;
  std::optional<std::vector<Message>> messages;
  object fields;
  if (root.get(fields) != simdjson::SUCCESS) return Bad("expected a JSON object");
  // The id first: it names the errors of the others.
  if (element value; fields["id"].get(value) == simdjson::SUCCESS) {
    PENSTOCK_ASSIGN_OR_RETURN(*id, String("id", value));
  }
  if (id->empty()) return Bad("\"id\": missing or empty, expected a string");
  request.id = *id;
  for (const auto field : fields) {
    if (field.key == "prompt") {
      PENSTOCK_ASSIGN_OR_RETURN(prompt, String(field.key, field.value));
      if (prompt->empty()) return Bad("\"prompt\": empty, expected text");
    } else if (field.key == "messages") {
      PENSTOCK_ASSIGN_OR_RETURN(messages, Messages(field.value));
    } else if (field.key == "priority") {
      PENSTOCK_ASSIGN_OR_RETURN(const int64_t n, Whole(field.key, field.value, -100, 100));
      request.priority = static_cast<int>(n);
    } else if (field.key == "timeout_ms") {
      PENSTOCK_ASSIGN_OR_RETURN(const int64_t n, Whole(field.key, field.value, 1, 86'400'000));
      request.timeout = absl::Milliseconds(n);
    } else if (field.key == "tenant") {
      PENSTOCK_ASSIGN_OR_RETURN(request.tenant, String(field.key, field.value));
    } else if (field.key != "id") {
      return Bad("unknown key " + Quoted(field.key) +
                 ", expected id, prompt or messages, priority, timeout_ms, tenant");
    }
  }
  if (prompt.has_value() == messages.has_value()) {
    return Bad("expected one of \"prompt\" and \"messages\"");
  }
  if (messages.has_value()) {
    PENSTOCK_ASSIGN_OR_RETURN(request.segments, chat_->Apply(*messages));
  } else {
    request.segments = chat_->ApplyToPrompt(*std::move(prompt));
  }
  if (!ids_.insert(*id).second) return Bad("\"id\": " + Quoted(*id) + " was used before");
  return request;
}

std::optional<RequestLine> RequestReader::Next() {
  while (ReadLine()) {
    ++number_;
    if (line_.find_first_not_of(" \t") == std::string::npos) continue;
    RequestLine line{number_, "", absl::UnknownError("")};
    line.request = Parse(&line.id);
    return line;
  }
  return std::nullopt;
}

}  // namespace penstock::main_job
