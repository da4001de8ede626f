// SPDX-License-Identifier: Apache-2.0
//
// ReadTiktoken: rank files. Grammar: file = { base64 " " rank ("\n" | "\r\n") } A token's rank is
// its id. Any two adjacent symbols whose bytes together are a token may merge, with that token's
// rank; a piece that is a token as a whole is that token, reachable by merging or not.
#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/absl_compat.h"
#include "penstock/base/status_macros.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/engine.h"
#include "tokenizer/huggingface/normalizers.h"
#include "tokenizer/known_encodings.h"
#include "tokenizer/readers.h"
#include "tokenizer/split_pre_tokenizer.h"

namespace penstock::internal {
namespace {

constexpr int kBad = -1;

int Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : kBad;
}

// Strict: padded to a multiple of four, no stray bits.
bool DecodeBase64(std::string_view in, std::string* out) {
  out->clear();
  if (in.empty() || in.size() % 4 != 0) return false;
  const size_t padding = in.back() != '=' ? 0 : in[in.size() - 2] == '=' ? 2 : 1;
  const size_t digits = in.size() - padding;
  uint32_t bits = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int value = Base64Value(in[i]);
    if (value == kBad) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (i % 4 == 3) {
      for (int shift = 16; shift >= 0; shift -= 8) out->push_back(static_cast<char>(bits >> shift));
      bits = 0;
    }
  }
  if (padding == 2) {
    out->push_back(static_cast<char>(bits >> 4));
    return (bits & 15) == 0;
  }
  if (padding == 1) {
    out->push_back(static_cast<char>(bits >> 10));
    out->push_back(static_cast<char>(bits >> 2));
    return (bits & 3) == 0;
  }
  return true;
}

std::string Shorten(std::string_view s) {
  if (s.size() <= 40) return std::string(s);
  return std::string(s.substr(0, 40)) + "…";
}

class RankFile {
 public:
  RankFile(const SourceFile& file, const LoadLimits& limits) : file_(file), limits_(limits) {}

  absl::Status Parse();
  std::vector<std::string>& tokens() { return tokens_; }
  ByteMapBuilder& ranks() { return ranks_; }

 private:
  absl::Status Bad(size_t line, const std::string& what) const {
    return absl::DataLossError(absl::StrCat(AbslView(file_.name), ":", line, ": ", what));
  }
  absl::Status ParseLine(size_t number, std::string_view line);

  const SourceFile& file_;
  const LoadLimits& limits_;
  std::vector<std::string> tokens_;  // by rank
  ByteMapBuilder ranks_;
  std::string bytes_;
};

absl::Status RankFile::ParseLine(size_t number, std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    return Bad(number, absl::StrCat("\"", Shorten(line), "\", expected \"<base64> <rank>\""));
  }
  if (!DecodeBase64(line.substr(0, space), &bytes_)) {
    return Bad(number, absl::StrCat("\"", Shorten(line.substr(0, space)),
                                    "\" is not base64 of at least one byte"));
  }
  if (bytes_.size() > limits_.max_token_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(AbslView(file_.name), ":", number, ": token of ", bytes_.size(),
                     " bytes, expected at most ", limits_.max_token_bytes));
  }
  const std::string_view digits = line.substr(space + 1);
  uint64_t rank = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty() ||
      rank > 0x7FFFFFFF) {
    return Bad(number, absl::StrCat("rank \"", Shorten(digits),
                                    "\", expected a decimal number below 2147483648"));
  }
  if (rank >= limits_.max_vocabulary) {
    return absl::ResourceExhaustedError(absl::StrCat(AbslView(file_.name), ":", number, ": rank ",
                                                     rank, ", expected less than ",
                                                     limits_.max_vocabulary));
  }
  if (rank >= tokens_.size()) tokens_.resize(rank + 1);
  if (!tokens_[rank].empty()) return Bad(number, absl::StrCat("rank ", rank, " appears twice"));
  if (!ranks_.Insert(bytes_, static_cast<int32_t>(rank))) {
    return Bad(number,
               absl::StrCat("the token of rank ", rank, " already has rank ", ranks_.Find(bytes_)));
  }
  tokens_[rank] = bytes_;
  return absl::OkStatus();
}

absl::Status RankFile::Parse() {
  std::string_view rest = file_.bytes;
  const size_t lines = static_cast<size_t>(std::count(rest.begin(), rest.end(), '\n')) + 1;
  tokens_.reserve(std::min(lines, limits_.max_vocabulary));
  ranks_.Reserve(std::min(lines, limits_.max_vocabulary), rest.size() / 2);
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    PENSTOCK_RETURN_IF_ERROR(ParseLine(number, line));
  }
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    if (ranks_.Find(std::string_view(&byte, 1)) != ByteMap::kAbsent) continue;
    return absl::DataLossError(absl::StrCat(AbslView(file_.name), ": no token for the byte ",
                                            absl::Hex(b, absl::kZeroPad2),
                                            ", expected one for each of the 256 bytes"));
  }
  return absl::OkStatus();
}

// Every way to cut every token is tried, so the time grows with the square of a token's length.
// The longest tokens in use have some hundred bytes; thousands of 64 KiB would take hours.
constexpr uint64_t kMaxMergeWork = uint64_t{1} << 32;  // bytes looked at

absl::StatusOr<MergeTable> MergesOf(const SourceFile& file, const std::vector<std::string>& tokens,
                                    const ByteMapBuilder& ranks) {
  MergeTable merges(tokens.size() * 2);
  uint64_t work = 0;
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    const std::string_view token = tokens[rank];
    work += token.size() * token.size();
    if (work > kMaxMergeWork) {
      return absl::ResourceExhaustedError(
          absl::StrCat(AbslView(file.name), ": rank ", rank, ", a token of ", token.size(),
                       " bytes: too many long tokens to find their merges"));
    }
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const int32_t left = ranks.Find(token.substr(0, cut));
      if (left == ByteMap::kAbsent) continue;
      const int32_t right = ranks.Find(token.substr(cut));
      if (right == ByteMap::kAbsent) continue;
      merges.Insert(left, right, {static_cast<uint32_t>(rank), static_cast<TokenId>(rank)});
    }
  }
  return absl::StatusOr<MergeTable>(std::move(merges));
}

absl::StatusOr<KnownEncoding> EncodingOf(const SourceFile& file, const LoadOptions& options,
                                         size_t ranks) {
  KnownEncoding encoding;
  if (options.encoding.has_value()) {
    std::optional<KnownEncoding> known = FindEncoding(*options.encoding, ranks);
    if (!known.has_value()) {
      std::string names;
      for (const std::string& name : KnownEncodings()) absl::StrAppend(&names, " ", name);
      return absl::InvalidArgumentError(absl::StrCat(AbslView(file.name), ": unknown encoding \"",
                                                     *options.encoding, "\", expected one of",
                                                     names));
    }
    encoding = *std::move(known);
  } else if (!options.pattern.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(AbslView(file.name),
                     ": a rank file carries no pattern and no special tokens; expected "
                     "LoadOptions::encoding (\"cl100k_base\", \"llama3\", …) or pattern and "
                     "special_tokens"));
  }
  if (options.pattern.has_value()) encoding.pattern = *options.pattern;
  for (const auto& token : options.special_tokens) encoding.special_tokens.push_back(token);
  return encoding;
}

absl::StatusOr<std::vector<AddedToken>> SpecialTokens(const SourceFile& file,
                                                      const KnownEncoding& encoding,
                                                      const std::vector<std::string>& ranks) {
  std::vector<AddedToken> added;
  for (const auto& [content, id] : encoding.special_tokens) {
    if (id >= 0 && static_cast<size_t>(id) < ranks.size() &&
        !ranks[static_cast<size_t>(id)].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(AbslView(file.name), ": special token \"", content, "\" has id ", id,
                       ", which is a rank of the file; expected a free id"));
    }
    AddedToken token;
    token.content = content;
    token.id = id;
    token.special = true;
    added.push_back(std::move(token));
  }
  return added;
}

absl::Status InFile(const SourceFile& file, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(AbslView(file.name), ": ", status.message()));
}

// Cuts a rank file's pieces: what the pattern does not match is dropped, as tiktoken does.
absl::StatusOr<std::unique_ptr<const PreTokenizer>> PreTokenizerOf(const std::string& pattern,
                                                                   const LoadLimits& limits) {
  const SplitGrammar* grammar = FindGrammar(pattern);
  if (grammar != nullptr) return NewGrammarPreTokenizer(grammar);
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<const TextPattern> regex,
                            CompilePcre(pattern, RegexFlavor::kRust, limits));
  return NewSplitPreTokenizer(std::move(regex), SplitBehavior::kRemoved, /*invert=*/true);
}

}  // namespace

bool LooksLikeTiktoken(std::string_view head) {
  const std::string_view line = head.substr(0, head.find('\n'));
  const size_t space = line.find(' ');
  std::string bytes;
  if (space == std::string_view::npos || !DecodeBase64(line.substr(0, space), &bytes)) return false;
  std::string_view rank = line.substr(space + 1);
  if (!rank.empty() && rank.back() == '\r') rank.remove_suffix(1);
  return !rank.empty() &&
         std::all_of(rank.begin(), rank.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::StatusOr<TokenizerPtr> ReadTiktoken(const SourceFile& file, const LoadOptions& options) {
  RankFile ranks(file, options.limits);
  PENSTOCK_RETURN_IF_ERROR(ranks.Parse());
  const size_t size = ranks.tokens().size();
  PENSTOCK_ASSIGN_OR_RETURN(const KnownEncoding encoding, EncodingOf(file, options, size));
  PENSTOCK_ASSIGN_OR_RETURN(std::vector<AddedToken> added,
                            SpecialTokens(file, encoding, ranks.tokens()));
  PENSTOCK_RETURN_IF_ERROR(InFile(file, ClassifyAddedTokens(options.content_tokens, &added)));

  EngineParts parts;
  BpeModel::Spec spec;
  PENSTOCK_ASSIGN_OR_RETURN(spec.merges, MergesOf(file, ranks.tokens(), ranks.ranks()));
  spec.bytes = true;
  spec.whole_piece = true;
  spec.pieces = std::move(ranks.ranks()).Build();
  parts.model = std::make_unique<BpeModel>(std::move(spec), std::vector<uint8_t>());
  absl::StatusOr<std::unique_ptr<const PreTokenizer>> pre_tokenizer =
      PreTokenizerOf(encoding.pattern, options.limits);
  if (!pre_tokenizer.ok()) return InFile(file, pre_tokenizer.status());
  parts.pre_tokenizer = *std::move(pre_tokenizer);
  parts.invalid_utf8 = InvalidUtf8::kKeep;
  parts.byte_level_vocabulary = true;
  if (encoding.nfc) parts.normalizer = NewNfcNormalizer();
  if (encoding.bos.has_value()) {
    const std::vector<TokenId> bos = {*encoding.bos};
    using Kind = TemplatePart::Kind;
    parts.post_processor.single = {{Kind::kSpecial, 0, bos}, {Kind::kFirst, 0, {}}};
    parts.post_processor.pair = {{Kind::kSpecial, 0, bos},
                                 {Kind::kFirst, 0, {}},
                                 {Kind::kSpecial, 1, bos},
                                 {Kind::kSecond, 1, {}}};
  }
  SpecialIds special;
  special.bos = encoding.bos;
  special.eos = encoding.eos;
  special.pad = encoding.pad;
  absl::StatusOr<Vocabulary> vocabulary =
      Vocabulary::Create(std::move(ranks.tokens()), std::move(added), special);
  if (!vocabulary.ok()) return InFile(file, vocabulary.status());
  parts.vocabulary = *std::move(vocabulary);
  return NewEngineTokenizer(std::move(parts));
}

}  // namespace penstock::internal
