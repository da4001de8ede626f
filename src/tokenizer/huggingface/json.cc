// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/json.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/utf8.h"

namespace penstock::internal {
namespace {

const char* KindOf(const simdjson::dom::element& value) {
  switch (value.type()) {
    case simdjson::dom::element_type::ARRAY:
      return "an array";
    case simdjson::dom::element_type::OBJECT:
      return "an object";
    case simdjson::dom::element_type::STRING:
      return "a string";
    case simdjson::dom::element_type::BOOL:
      return "true or false";
    case simdjson::dom::element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

// `bytes` with ".0" behind every integer that does not fit into 64 bits, as transformers writes for "no
// limit"; simdjson refuses those. Strings are left alone.
std::string WithLongIntegersAsDoubles(std::string_view bytes) {
  constexpr size_t kFits = 18;  // digits
  std::string out;
  out.reserve(bytes.size() + 16);
  bool quoted = false;
  for (size_t i = 0; i < bytes.size();) {
    const char c = bytes[i];
    if (quoted && c == '\\' && i + 1 < bytes.size()) {
      out.append(bytes.substr(i, 2));
      i += 2;
      continue;
    }
    if (c == '"') quoted = !quoted;
    size_t end = i;
    while (!quoted && end < bytes.size() && bytes[end] >= '0' && bytes[end] <= '9') ++end;
    if (end == i) {
      out.push_back(c);
      ++i;
      continue;
    }
    const char before = i == 0 ? ' ' : bytes[i - 1];
    const char after = end == bytes.size() ? ' ' : bytes[end];
    const bool integer = before != '.' && before != 'e' && before != 'E' && before != '+' &&
                         after != '.' && after != 'e' && after != 'E';
    out.append(bytes.substr(i, end - i));
    if (integer && end - i > kFits) out.append(".0");
    i = end;
  }
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JsonDocument>> JsonDocument::Parse(std::string_view bytes,
                                                                  std::string_view name,
                                                                  const LoadLimits& limits) {
  if (bytes.empty()) {
    return absl::DataLossError(absl::StrCat(AbslView(name), ": not JSON: the file is empty"));
  }
  if (bytes.substr(0, 3) == "\xEF\xBB\xBF") {
    return absl::DataLossError(
        absl::StrCat(AbslView(name), ": not JSON: begins with a byte order mark"));
  }
  auto document = std::make_unique<JsonDocument>();
  document->name_ = std::string(name);
  const size_t capacity = bytes.size() < 64 ? 64 : bytes.size();
  simdjson::error_code error = document->parser_.allocate(capacity, limits.max_nesting);
  if (error == simdjson::SUCCESS) {
    error = document->parser_.parse(bytes.data(), bytes.size()).get(document->root_);
  }
  if (error == simdjson::NUMBER_ERROR) {
    const std::string readable = WithLongIntegersAsDoubles(bytes);
    error = document->parser_.allocate(readable.size() + 64, limits.max_nesting);
    if (error == simdjson::SUCCESS) error = document->parser_.parse(readable).get(document->root_);
  }
  if (error == simdjson::SUCCESS) return document;
  const std::string message = simdjson::error_message(error);
  if (error == simdjson::DEPTH_ERROR || error == simdjson::CAPACITY) {
    return absl::ResourceExhaustedError(absl::StrCat(AbslView(name), ": JSON nested deeper than ",
                                                     limits.max_nesting,
                                                     " levels or too large: ", message));
  }
  return absl::DataLossError(absl::StrCat(AbslView(name), ": not JSON: ", message));
}

Json Json::Get(std::string_view key) const {
  Json child;
  child.file_ = file_;
  child.parent_ = this;
  child.key_ = key;
  simdjson::dom::object object;
  if (exists_ && value_.get(object) == simdjson::SUCCESS) {
    child.exists_ = object.at_key(key).get(child.value_) == simdjson::SUCCESS;
  }
  return child;
}

// Recursion is bounded by the nesting of the file, which JsonDocument limits.
absl::Status Json::CheckKeysUnique() const {
  if (is_array()) {
    return ForEachElement([](const Json& element) { return element.CheckKeysUnique(); });
  }
  if (!is_object()) return absl::OkStatus();
  std::set<std::string_view> seen;
  return ForEachMember([&](std::string_view key, const Json& value) {
    if (!seen.insert(key).second) return value.Bad("the key appears twice");
    return key == "vocab" || key == "merges" ? absl::OkStatus() : value.CheckKeysUnique();
  });
}

std::string Json::path() const {
  std::string prefix = parent_ == nullptr ? "" : parent_->path();
  if (index_ >= 0) return absl::StrCat(prefix, "[", index_, "]");
  if (key_.empty()) return prefix;
  return absl::StrCat(prefix, prefix.empty() ? "" : ".", key_);
}

absl::Status Json::Error(absl::StatusCode code, const std::string& what) const {
  const std::string at = path();
  return absl::Status(code, absl::StrCat(*file_, ": ", at, at.empty() ? "" : ": ", what));
}

absl::Status Json::Bad(const std::string& what) const {
  return Error(absl::StatusCode::kDataLoss, what);
}

absl::Status Json::Expected(const char* what) const {
  return Bad(absl::StrCat(exists_ ? absl::StrCat("is ", KindOf(value_)) : "is missing",
                          ", expected ", what));
}

absl::StatusOr<std::string_view> Json::String() const {
  std::string_view s;
  if (!exists_ || value_.get(s) != simdjson::SUCCESS) return Expected("a string");
  return s;
}

absl::StatusOr<bool> Json::Bool() const {
  bool b = false;
  if (!exists_ || value_.get(b) != simdjson::SUCCESS) return Expected("true or false");
  return b;
}

absl::StatusOr<int64_t> Json::Int() const {
  int64_t n = 0;
  if (!exists_ || value_.get(n) != simdjson::SUCCESS) return Expected("an integer");
  return n;
}

absl::StatusOr<double> Json::Double() const {
  double d = 0;
  if (!exists_ || value_.get(d) != simdjson::SUCCESS) return Expected("a number");
  return d;
}

absl::StatusOr<char32_t> Json::Char() const {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view s, String());
  if (!s.empty()) {
    const DecodedChar c = DecodeUtf8(s, 0);
    if (c.valid && c.size == s.size()) return c.code_point;
  }
  return Bad(absl::StrCat("is \"", AbslView(s), "\", expected exactly one character"));
}

absl::StatusOr<std::string> Json::StringOr(const char* key, std::string_view otherwise) const {
  const Json member = Get(key);
  if (member.is_null()) return std::string(otherwise);
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view s, member.String());
  return std::string(s);
}

absl::StatusOr<bool> Json::BoolOr(const char* key, bool otherwise) const {
  const Json member = Get(key);
  if (member.is_null()) return otherwise;
  return member.Bool();
}

absl::StatusOr<int64_t> Json::IntOr(const char* key, int64_t otherwise) const {
  const Json member = Get(key);
  if (member.is_null()) return otherwise;
  return member.Int();
}

absl::StatusOr<std::string> Json::StringAt(const char* key) const {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view s, Get(key).String());
  return std::string(s);
}

absl::StatusOr<bool> Json::BoolAt(const char* key) const { return Get(key).Bool(); }

absl::StatusOr<int64_t> Json::IntAt(const char* key) const { return Get(key).Int(); }

}  // namespace penstock::internal
