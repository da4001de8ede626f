// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/decoders.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "text/utf8.h"
#include "tokenizer/decode.h"
#include "tokenizer/huggingface/byte_chars.h"
#include "tokenizer/huggingface/text_growth.h"
#include "tokenizer/text_pattern.h"

namespace penstock::internal {
namespace {

using Tokens = std::vector<std::string>;

class ByteLevelDecoder final : public Decoder {
 public:
  void Decode(Tokens* tokens) const override {
    std::string text;
    std::string bytes;
    for (const std::string& token : *tokens) {
      text.append(FromByteChars(token, &bytes) ? bytes : token);
    }
    tokens->assign(1, std::move(text));
  }
  void DecodeReplacing(Tokens* tokens) const override {
    Decode(tokens);
    if (!IsValidUtf8(tokens->front())) tokens->front() = ReplaceInvalidUtf8(tokens->front());
  }
};

class WordPieceDecoder final : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool clean_up)
      : prefix_(std::move(prefix)), clean_up_(clean_up) {}
  void Decode(Tokens* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      std::string& token = (*tokens)[i];
      if (i > 0) {
        if (token.compare(0, prefix_.size(), prefix_) == 0) {
          token.erase(0, prefix_.size());
        } else {
          token.insert(0, " ");
        }
      }
      if (clean_up_) CleanUpSpaces(&token, true);
    }
  }

 private:
  std::string prefix_;
  bool clean_up_;
};

class MetaspaceDecoder final : public Decoder {
 public:
  MetaspaceDecoder(std::string replacement, bool drop_first)
      : replacement_(std::move(replacement)), drop_first_(drop_first) {}
  void Decode(Tokens* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      ReplaceAll(replacement_, i == 0 && drop_first_ ? "" : " ", &(*tokens)[i]);
    }
  }

 private:
  std::string replacement_;
  bool drop_first_;
};

class BpeDecoder final : public Decoder {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  void Decode(Tokens* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      ReplaceAll(suffix_, i + 1 == tokens->size() ? "" : " ", &(*tokens)[i]);
    }
  }

 private:
  std::string suffix_;
};

class CtcDecoder final : public Decoder {
 public:
  CtcDecoder(std::string pad, std::string delimiter, bool clean_up)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), clean_up_(clean_up) {}
  void Decode(Tokens* tokens) const override {
    tokens->erase(std::unique(tokens->begin(), tokens->end()), tokens->end());
    for (std::string& token : *tokens) {
      ReplaceAll(pad_, "", &token);
      if (!clean_up_) continue;
      CleanUpSpaces(&token, true);
      ReplaceAll(delimiter_, " ", &token);
    }
    tokens->erase(std::remove(tokens->begin(), tokens->end(), std::string()), tokens->end());
  }

 private:
  std::string pad_, delimiter_;
  bool clean_up_;
};

// Runs of <0xNN> tokens become the bytes they spell; replacing, those that are no UTF-8 become one
// U+FFFD for each byte, as in the reference.
class ByteFallbackDecoder final : public Decoder {
 public:
  void Decode(Tokens* tokens) const override { Run(false, tokens); }
  void DecodeReplacing(Tokens* tokens) const override { Run(true, tokens); }

 private:
  static void Run(bool replace, Tokens* tokens) {
    Tokens out;
    std::string bytes;
    const auto flush = [&] {
      if (replace && !IsValidUtf8(bytes)) {
        out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
      } else if (!bytes.empty()) {
        out.push_back(std::move(bytes));
      }
      bytes.clear();
    };
    for (std::string& token : *tokens) {
      const int byte = ByteOf(token);
      if (byte >= 0) {
        bytes.push_back(static_cast<char>(byte));
        continue;
      }
      flush();
      out.push_back(std::move(token));
    }
    flush();
    *tokens = std::move(out);
  }
  static int Digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  }
  static int ByteOf(const std::string& token) {
    if (token.size() != 6 || token.compare(0, 3, "<0x") != 0 || token[5] != '>') return -1;
    const int high = Digit(token[3]);
    const int low = Digit(token[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
  }
};

class JoinDecoder final : public Decoder {
 public:
  explicit JoinDecoder(std::string separator) : separator_(std::move(separator)) {}
  void Decode(Tokens* tokens) const override {
    std::string text;
    for (size_t i = 0; i < tokens->size(); ++i) {
      if (i > 0) text.append(separator_);
      text.append((*tokens)[i]);
    }
    tokens->assign(1, std::move(text));
  }

 private:
  std::string separator_;
};

class StripDecoder final : public Decoder {
 public:
  StripDecoder(std::string content, size_t start, size_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}
  void Decode(Tokens* tokens) const override {
    for (std::string& token : *tokens) {
      size_t begin = 0;
      for (size_t i = 0; i < start_ && token.compare(begin, content_.size(), content_) == 0 &&
                         begin < token.size();
           ++i) {
        begin += content_.size();
      }
      size_t end = token.size();
      for (size_t i = 0; i < stop_ && end >= content_.size() + begin &&
                         token.compare(end - content_.size(), content_.size(), content_) == 0;
           ++i) {
        end -= content_.size();
      }
      token = token.substr(begin, end - begin);
    }
  }

 private:
  std::string content_;
  size_t start_, stop_;
};

class ReplaceDecoder final : public Decoder {
 public:
  ReplaceDecoder(std::unique_ptr<const TextPattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void Decode(Tokens* tokens) const override {
    std::vector<Piece> matches;
    for (std::string& token : *tokens) {
      matches.clear();
      pattern_->FindAll(token, &matches);
      if (matches.empty()) continue;
      std::string out;
      size_t done = 0;
      for (const Piece& m : matches) {
        out.append(token, done, m.begin - done);
        out.append(content_);
        done = m.end;
      }
      out.append(token, done, std::string::npos);
      token = std::move(out);
    }
  }

 private:
  std::unique_ptr<const TextPattern> pattern_;
  std::string content_;
};

class DecoderSequence final : public Decoder {
 public:
  explicit DecoderSequence(std::vector<std::unique_ptr<const Decoder>> stages)
      : stages_(std::move(stages)) {}
  void Decode(Tokens* tokens) const override {
    for (const auto& stage : stages_) stage->Decode(tokens);
  }
  void DecodeReplacing(Tokens* tokens) const override {
    for (const auto& stage : stages_) stage->DecodeReplacing(tokens);
  }

 private:
  std::vector<std::unique_ptr<const Decoder>> stages_;
};

using Stage = std::unique_ptr<const Decoder>;

absl::StatusOr<Stage> ReadReplace(const Json& json, const LoadLimits& limits, TextGrowth* growth) {
  PENSTOCK_ASSIGN_OR_RETURN(std::string content, json.StringAt("content"));
  const Json pattern = json.Get("pattern");
  const Json literal = pattern.Get("String");
  if (literal.exists()) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string_view s, literal.String());
    std::unique_ptr<const TextPattern> text = NewLiteralPattern(std::string(s));
    PENSTOCK_RETURN_IF_ERROR(growth->Replace(json, *text, content.size()));
    return std::make_unique<ReplaceDecoder>(std::move(text), std::move(content));
  }
  const Json regex = pattern.Get("Regex");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view source, regex.String());
  absl::StatusOr<std::unique_ptr<const TextPattern>> compiled =
      CompileRegex(source, RegexFlavor::kOniguruma, limits);
  if (!compiled.ok()) {
    return regex.Error(compiled.status().code(), std::string(compiled.status().message()));
  }
  PENSTOCK_RETURN_IF_ERROR(growth->Replace(json, **compiled, content.size()));
  return std::make_unique<ReplaceDecoder>(*std::move(compiled), std::move(content));
}

absl::StatusOr<Stage> ReadMetaspace(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(const char32_t replacement, json.Get("replacement").Char());
  PENSTOCK_ASSIGN_OR_RETURN(const std::string scheme, json.StringOr("prepend_scheme", "always"));
  PENSTOCK_ASSIGN_OR_RETURN(const bool prefix, json.BoolOr("add_prefix_space", true));
  std::string bytes;
  AppendUtf8(replacement, &bytes);
  return std::make_unique<MetaspaceDecoder>(std::move(bytes), prefix && scheme != "never");
}

absl::StatusOr<Stage> ReadStrip(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(const char32_t content, json.Get("content").Char());
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t start, json.IntAt("start"));
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t stop, json.IntAt("stop"));
  if (start < 0 || stop < 0) return json.Bad("start or stop is negative, expected at least 0");
  std::string bytes;
  AppendUtf8(content, &bytes);
  return std::make_unique<StripDecoder>(std::move(bytes), static_cast<size_t>(start),
                                        static_cast<size_t>(stop));
}

absl::StatusOr<Stage> ReadCtc(const Json& json) {
  PENSTOCK_ASSIGN_OR_RETURN(std::string pad, json.StringOr("pad_token", "<pad>"));
  PENSTOCK_ASSIGN_OR_RETURN(std::string delimiter, json.StringOr("word_delimiter_token", "|"));
  PENSTOCK_ASSIGN_OR_RETURN(const bool clean_up, json.BoolOr("cleanup", true));
  return std::make_unique<CtcDecoder>(std::move(pad), std::move(delimiter), clean_up);
}

absl::StatusOr<Stage> ReadOne(const Json& json, std::string_view type, const LoadLimits& limits,
                              TextGrowth* growth) {
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (type == "Fuse") return std::make_unique<JoinDecoder>("");
  if (type == "Replace") return ReadReplace(json, limits, growth);
  if (type == "Metaspace") return ReadMetaspace(json);
  if (type == "Strip") return ReadStrip(json);
  if (type == "CTC") return ReadCtc(json);
  if (type == "WordPiece") {
    PENSTOCK_ASSIGN_OR_RETURN(std::string prefix, json.StringOr("prefix", "##"));
    PENSTOCK_ASSIGN_OR_RETURN(const bool clean_up, json.BoolOr("cleanup", true));
    return std::make_unique<WordPieceDecoder>(std::move(prefix), clean_up);
  }
  if (type == "BPEDecoder") {
    PENSTOCK_ASSIGN_OR_RETURN(std::string suffix, json.StringOr("suffix", "</w>"));
    return std::make_unique<BpeDecoder>(std::move(suffix));
  }
  return json.Error(absl::StatusCode::kUnimplemented,
                    absl::StrCat("decoder type \"", AbslView(type), "\" is not known"));
}

// Recursion is bounded by the nesting of the file, which JsonDocument limits.
absl::Status ReadInto(const Json& json, const LoadLimits& limits, bool* byte_level,
                      TextGrowth* growth, std::vector<Stage>* stages) {
  const Json type_json = json.Get("type");
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view type, type_json.String());
  if (type == "Sequence") {
    const Json children = json.Get("decoders");
    return children.ForEachElement(
        [&](const Json& child) { return ReadInto(child, limits, byte_level, growth, stages); });
  }
  *byte_level |= type == "ByteLevel";
  PENSTOCK_ASSIGN_OR_RETURN(Stage stage, ReadOne(json, type, limits, growth));
  stages->push_back(std::move(stage));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DecoderPlan> ReadDecoder(const Json& json, const LoadLimits& limits) {
  DecoderPlan plan;
  if (json.is_null()) {
    plan.decoder = std::make_unique<JoinDecoder>(" ");
    return plan;
  }
  std::vector<Stage> stages;
  TextGrowth growth;
  PENSTOCK_RETURN_IF_ERROR(ReadInto(json, limits, &plan.byte_level, &growth, &stages));
  plan.byte_level_only = plan.byte_level && stages.size() == 1;
  if (plan.byte_level_only) return plan;
  plan.decoder = std::make_unique<DecoderSequence>(std::move(stages));
  return plan;
}

}  // namespace penstock::internal
