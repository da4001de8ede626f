// SPDX-License-Identifier: Apache-2.0
//
// Json: typed access to a parsed JSON file, whose errors say where.
//
//   PENSTOCK_ASSIGN_OR_RETURN(auto document, JsonDocument::Parse(bytes, "tokenizer.json", limits));
//   Json model = document->root().Get("model");
//   PENSTOCK_ASSIGN_OR_RETURN(bool fuse, model.BoolOr("fuse_unk", false));
//   // DATA_LOSS: tokenizer.json: model.fuse_unk: is a string, expected true or false
//
// A Json is a cheap value that points into its document and its parents; both must outlive it.
// Parsing is simdjson's, with our limit on nesting. Thread-compatible: const calls may run
// concurrently.
#ifndef PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_JSON_H_
#define PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_JSON_H_

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/tokenizer/load.h"

namespace penstock::internal {

class Json {
 public:
  Json(const std::string* file, simdjson::dom::element value)
      : file_(file), value_(value), exists_(true) {}

  bool exists() const { return exists_; }
  bool is_null() const { return !exists_ || value_.is_null(); }
  bool is_string() const { return exists_ && value_.is_string(); }
  bool is_array() const { return exists_ && value_.is_array(); }
  bool is_object() const { return exists_ && value_.is_object(); }

  // The member `key`; !exists() if there is none or this is no object.
  Json Get(std::string_view key) const;
  // Calls f(Json element) for each element, f(std::string_view key, Json value) for each member; f
  // returns a status, the first error ends it.
  template <typename F>
  absl::Status ForEachElement(F f) const;
  template <typename F>
  absl::Status ForEachMember(F f) const;
  // kDataLoss if an object in here has a key twice, at any depth. Vocabularies and merges
  // are not looked into: large, and their readers ask for themselves.
  absl::Status CheckKeysUnique() const;

  absl::StatusOr<std::string_view> String() const;
  absl::StatusOr<bool> Bool() const;
  absl::StatusOr<int64_t> Int() const;
  absl::StatusOr<double> Double() const;
  // A string of exactly one Unicode character.
  absl::StatusOr<char32_t> Char() const;

  // Of the member `key`; absent or null: the default.
  absl::StatusOr<std::string> StringOr(const char* key, std::string_view otherwise) const;
  absl::StatusOr<bool> BoolOr(const char* key, bool otherwise) const;
  absl::StatusOr<int64_t> IntOr(const char* key, int64_t otherwise) const;
  // Of the member `key`, which must be there.
  absl::StatusOr<std::string> StringAt(const char* key) const;
  absl::StatusOr<bool> BoolAt(const char* key) const;
  absl::StatusOr<int64_t> IntAt(const char* key) const;

  // kDataLoss: "FILE: PATH: what".
  absl::Status Bad(const std::string& what) const;
  // The same with another code.
  absl::Status Error(absl::StatusCode code, const std::string& what) const;
  std::string path() const;

 private:
  Json() = default;
  absl::Status Expected(const char* what) const;

  const std::string* file_ = nullptr;
  const Json* parent_ = nullptr;
  std::string key_;  // member name in the parent; else the index
  int64_t index_ = -1;
  simdjson::dom::element value_;
  bool exists_ = false;
};

class JsonDocument {
 public:
  // kDataLoss: not JSON. kResourceExhausted: nested deeper than limits.max_nesting.
  static absl::StatusOr<std::unique_ptr<JsonDocument>> Parse(std::string_view bytes,
                                                             std::string_view name,
                                                             const LoadLimits& limits);
  Json root() const { return Json(&name_, root_); }

 private:
  std::string name_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

template <typename F>
absl::Status Json::ForEachElement(F f) const {
  simdjson::dom::array array;
  if (!exists_ || value_.get(array) != simdjson::SUCCESS) return Expected("an array");
  int64_t index = 0;
  for (const simdjson::dom::element element : array) {
    Json child(file_, element);
    child.parent_ = this;
    child.index_ = index++;
    absl::Status status = f(child);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

template <typename F>
absl::Status Json::ForEachMember(F f) const {
  simdjson::dom::object object;
  if (!exists_ || value_.get(object) != simdjson::SUCCESS) return Expected("an object");
  for (const simdjson::dom::key_value_pair member : object) {
    Json child(file_, member.value);
    child.parent_ = this;
    const std::string_view key(member.key.data(), member.key.size());
    child.key_ = key;
    absl::Status status = f(key, child);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_TOKENIZER_HUGGINGFACE_JSON_H_
