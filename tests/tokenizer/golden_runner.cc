// SPDX-License-Identifier: Apache-2.0
//
// Runs every vector of a folder of vocabularies and expected ids against the tokenizers we load
// from it.
//
//   PENSTOCK_TEST_DATA=FOLDER penstock_golden_runner [NAME[/FILE]…]      only these vocabularies
//
// FOLDER/vocab/MANIFEST.tsv names the files (columns name, file, encoding; the encoding goes with
// bare rank files); FOLDER/vectors/NAME.jsonl holds the vectors, one JSON object a line:
//   text or text_b64, ids, add_special, special ("parse": added tokens are recognised, "literal": the
//   text is plain), file; optional text_pair, offsets ([begin, end) in code points), type_ids,
//   decoded, conflict.
// Prints a table; `conflict` counts those that differ of the vectors marked so. Texts that were not
// decoded, or differ for a known reason, are counted below it by reason. Exit: 0 no mismatch, 1
// mismatches or a vocabulary that does not load, 77 no folder (ctest: skipped).
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "penstock/tokenizer.h"
#include "text/utf8.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongText = 5000;

struct Vector {
  std::string text;
  std::optional<std::string> pair;
  std::string file;
  std::vector<TokenId> ids;
  std::vector<int32_t> type_ids;  // empty: not given
  bool add_special = false;
  bool literal = false;
  bool conflict = false;
  bool has_offsets = false;
  std::vector<std::pair<size_t, size_t>> offsets;
  std::optional<std::string> decoded;
  std::string category;
  bool reference = false;  // ids made by running the reference: its decoder was run too
};

struct Row {
  std::string vocabulary, file;
  size_t vectors = 0, ids = 0, offsets = 0, decoded = 0, conflicts = 0, conflicts_differ = 0;
  std::string skipped;
  size_t mismatches() const { return ids + offsets + decoded; }
};

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::string> Split(const std::string& line, char by) {
  std::vector<std::string> parts(1);
  for (const char c : line) {
    if (c == by) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

// vocab/MANIFEST.tsv: file (as "name/file") to encoding.
std::map<std::string, std::string> ReadManifest(const fs::path& path) {
  std::map<std::string, std::string> encodings;
  const std::vector<std::string> lines = Split(ReadFile(path), '\n');
  std::map<std::string, size_t> column;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::vector<std::string> cells = Split(lines[i], '\t');
    if (i == 0) {
      for (size_t c = 0; c < cells.size(); ++c) column[cells[c]] = c;
      continue;
    }
    const auto cell = [&](const char* name) {
      const auto it = column.find(name);
      return it != column.end() && it->second < cells.size() ? cells[it->second] : std::string();
    };
    if (!cell("file").empty()) encodings[cell("file")] = cell("encoding");
  }
  return encodings;
}

std::string String(simdjson::dom::element value) {
  std::string_view s;
  return value.get(s) == simdjson::SUCCESS ? std::string(s) : std::string();
}

bool Numbers(simdjson::dom::element value, std::vector<int32_t>* out) {
  simdjson::dom::array numbers;
  if (value.get(numbers) != simdjson::SUCCESS) return false;
  for (simdjson::dom::element number : numbers) {
    int64_t n;
    if (number.get(n) != simdjson::SUCCESS) return false;
    out->push_back(static_cast<int32_t>(n));
  }
  return true;
}

bool ParseVector(simdjson::dom::element j, Vector* v) {
  simdjson::dom::element e;
  if (j["text"].get(e) == simdjson::SUCCESS) {
    v->text = String(e);
  } else if (j["text_b64"].get(e) == simdjson::SUCCESS) {
    if (!absl::Base64Unescape(String(e), &v->text)) return false;
  } else {
    return false;
  }
  if (j["text_pair"].get(e) == simdjson::SUCCESS) v->pair = String(e);
  if (j["file"].get(e) == simdjson::SUCCESS) v->file = String(e);
  if (j["special"].get(e) == simdjson::SUCCESS) v->literal = String(e) == "literal";
  if (j["add_special"].get(v->add_special) != simdjson::SUCCESS) v->add_special = false;
  v->conflict = j["conflict"].get(e) == simdjson::SUCCESS;
  if (j["class"].get(e) == simdjson::SUCCESS) v->reference = String(e) != "published";
  if (j["cat"].get(e) == simdjson::SUCCESS) v->category = String(e);
  if (j["decoded"].get(e) == simdjson::SUCCESS) v->decoded = String(e);
  if (j["ids"].get(e) != simdjson::SUCCESS || !Numbers(e, &v->ids)) return false;
  if (j["type_ids"].get(e) == simdjson::SUCCESS && !Numbers(e, &v->type_ids)) return false;
  simdjson::dom::array offsets;
  if (j["offsets"].get(offsets) == simdjson::SUCCESS) {
    v->has_offsets = true;
    for (simdjson::dom::element range : offsets) {
      uint64_t begin, end;
      if (range.at(0).get(begin) != simdjson::SUCCESS ||
          range.at(1).get(end) != simdjson::SUCCESS) {
        return false;
      }
      v->offsets.emplace_back(begin, end);
    }
  }
  return true;
}

// Byte ranges to code points, outwards.
std::vector<std::pair<size_t, size_t>> ToCodePoints(const std::vector<ByteRange>& ranges,
                                                    const std::string& text) {
  std::vector<size_t> index(text.size() + 1);  // of the code point that byte i belongs to
  std::vector<uint8_t> boundary(text.size() + 1);
  size_t count = 0;
  for (size_t pos = 0; pos < text.size(); ++count) {
    const size_t size = internal::DecodeUtf8(text, pos).size;
    for (size_t i = 0; i < size; ++i) index[pos + i] = count;
    boundary[pos] = 1;
    pos += size;
  }
  index[text.size()] = count;
  boundary[text.size()] = 1;
  std::vector<std::pair<size_t, size_t>> out;
  for (const ByteRange& r : ranges) {
    const size_t end = r.end > text.size() ? count : index[r.end] + (boundary[r.end] ? 0 : 1);
    out.emplace_back(r.begin > text.size() ? count : index[r.begin], end);
  }
  return out;
}

std::string Show(const std::vector<TokenId>& ids) {
  std::string s;
  for (size_t i = 0; i < ids.size() && i < 40; ++i) s += (i ? " " : "") + std::to_string(ids[i]);
  return ids.size() > 40 ? s + " …" : s;
}

std::string Show(const std::vector<std::pair<size_t, size_t>>& ranges) {
  std::string s;
  for (size_t i = 0; i < ranges.size() && i < 40; ++i) {
    s += (i ? " " : "") + std::to_string(ranges[i].first) + "-" + std::to_string(ranges[i].second);
  }
  return s;
}

class Runner {
 public:
  explicit Runner(size_t show) : show_(show) {}

  // Decoded texts that were not compared, or differ, by reason.
  const std::map<std::string, size_t>& reasons() const { return reasons_; }

  // Ends the vectors of one vocabulary: decides on those that CheckDecoded() put off.
  void Finish(std::map<std::string, Row>* rows) {
    for (const Undecided& u : undecided_) {
      if (recorded_.count({u.key, u.category}) == 0) {
        ++reasons_["vocab.txt: no vector of the same category has `decoded`: decoder not run"];
      } else {
        Row& row = (*rows)[u.key];
        ++row.decoded;
        std::printf("%s: decoded differs: expected \"%s\"\n  got \"%s\"\n", u.key.c_str(),
                    absl::CEscape(u.want).c_str(), absl::CEscape(u.got).c_str());
      }
    }
    undecided_.clear();
    recorded_.clear();
  }

  void Run(const Tokenizer& t, const Vector& v, Row* row) {
    ++row->vectors;
    if (v.conflict) ++row->conflicts;
    EncodeOptions options;
    options.add_special_tokens = v.add_special;
    options.offsets = v.has_offsets;
    options.type_ids = !v.type_ids.empty();
    if (v.literal) options.added_tokens = AddedTokenMatching::kReferencePlain;
    const auto segment = [&v](const std::string& text) {
      return v.literal ? Untrusted(text) : Trusted(text);
    };
    const absl::StatusOr<Encoding> e =
        v.pair.has_value() ? t.EncodePair({segment(v.text)}, {segment(*v.pair)}, options)
                           : t.Encode({segment(v.text)}, options);
    if (!e.ok() || e->ids != v.ids || (options.type_ids && e->type_ids != v.type_ids)) {
      if (v.conflict) {
        ++row->conflicts_differ;
        return;
      }
      ++row->ids;
      Report(*row, "ids", v, Show(v.ids),
             e.ok() ? Show(e->ids) : std::string(e.status().message()));
      return;
    }
    if (v.has_offsets) CheckOffsets(*e, v, row);
    if (v.reference && !v.pair.has_value()) CheckDecoded(t, v, row);
  }

 private:
  void CheckOffsets(const Encoding& e, const Vector& v, Row* row) {
    const auto got = ToCodePoints(e.offsets, v.text);
    if (got == v.offsets) return;
    ++row->offsets;
    Report(*row, "offsets", v, Show(v.offsets), Show(got));
  }
  void CheckDecoded(const Tokenizer& t, const Vector& v, Row* row) {
    const std::string key = row->vocabulary + "/" + v.file;
    if (v.decoded.has_value()) recorded_.insert({key, v.category});
    const bool sentencepiece = v.file.size() > 6 && v.file.rfind(".model") == v.file.size() - 6;
    if (sentencepiece && !v.decoded.has_value() && !internal::IsValidUtf8(v.text)) {
      // The text was not at hand as a string.
      ++reasons_[".model: bytes that are no UTF-8: the reference's decoder was not run"];
      return;
    }
    if (!v.decoded.has_value() && v.text.size() >= kLongText) {
      ++reasons_["5000 bytes and more: the reference's decoder was not run"];
      return;
    }
    DecodeOptions options;
    options.replace_invalid_utf8 = true;
    options.clean_up_spaces = false;  // what `tokenizers` decodes; transformers cleans up
    const std::string got = t.Decode(v.ids, options);
    const std::string want = v.decoded.value_or(internal::ReplaceInvalidUtf8(v.text));
    if (got == want) return;
    if (got == "\xEF\xBB\xBF" + want) {
      ++reasons_["a leading U+FEFF: JavaScript's TextDecoder dropped it, tiktoken and we keep it"];
      return;
    }
    if (v.file == "vocab.txt" && !v.decoded.has_value()) {
      undecided_.push_back({key, v.category, want, got});
      return;
    }
    ++row->decoded;
    Report(*row, "decoded", v, absl::CEscape(want), absl::CEscape(got));
  }
  void Report(const Row& row, const char* what, const Vector& v, const std::string& want,
              const std::string& got) {
    if (row.mismatches() > show_) return;
    std::printf("%s/%s: %s differ%s%s: \"%s\"\n  expected %s\n  got      %s\n",
                row.vocabulary.c_str(), row.file.c_str(), what, v.add_special ? " (+special)" : "",
                v.literal ? " (literal)" : "",
                std::string(absl::CEscape(v.text)).substr(0, 300).c_str(),
                want.substr(0, 400).c_str(), got.substr(0, 400).c_str());
  }

  struct Undecided {
    std::string key, category, want, got;
  };

  size_t show_;
  std::map<std::string, size_t> reasons_;
  std::vector<Undecided> undecided_;                        // WordPiece seldom gives back the text
  std::set<std::pair<std::string, std::string>> recorded_;  // categories with `decoded`
};

bool Wanted(const std::set<std::string>& only, const std::string& name, const std::string& file) {
  return only.empty() || only.count(name) > 0 || only.count(name + "/" + file) > 0;
}

int Main(int argc, char** argv) {
  const char* const folder = std::getenv("PENSTOCK_TEST_DATA");
  if (folder == nullptr || !fs::is_directory(fs::path(folder) / "vectors")) {
    std::printf("SKIPPED: PENSTOCK_TEST_DATA names no folder with vocab/ and vectors/\n");
    return 77;
  }
  const std::set<std::string> only(argv + 1, argv + argc);
  const fs::path root(folder);
  const std::map<std::string, std::string> manifest = ReadManifest(root / "vocab/MANIFEST.tsv");
  const char* const show = std::getenv("PENSTOCK_GOLDEN_SHOW");
  Runner runner(show == nullptr ? 3 : std::strtoull(show, nullptr, 10));
  std::map<std::string, Row> rows;
  std::map<std::string, TokenizerPtr> tokenizers;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "vectors")) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  simdjson::dom::parser parser;
  size_t unreadable = 0;
  for (const fs::path& path : files) {
    const std::string name = path.stem().string();
    for (const std::string& line : Split(ReadFile(path), '\n')) {
      if (line.empty()) continue;
      Vector v;
      simdjson::dom::element j;
      if (parser.parse(line).get(j) != simdjson::SUCCESS || !ParseVector(j, &v)) {
        ++unreadable;
        continue;
      }
      if (!Wanted(only, name, v.file)) continue;
      const std::string key = name + "/" + v.file;
      Row& row = rows[key];
      if (row.vocabulary.empty()) {
        row.vocabulary = name;
        row.file = v.file;
        LoadOptions options;
        const auto it = manifest.find(key);
        if (it != manifest.end() && !it->second.empty()) options.encoding = it->second;
        absl::StatusOr<TokenizerPtr> t =
            LoadTokenizer((root / "vocab" / name / v.file).string(), options);
        if (t.ok()) {
          tokenizers[key] = *std::move(t);
        } else {
          row.skipped = std::string(t.status().message());
        }
      }
      if (row.skipped.empty()) {
        runner.Run(*tokenizers[key], v, &row);
      } else {
        ++row.vectors;
      }
    }
    tokenizers.clear();
    runner.Finish(&rows);
  }

  std::printf("\n%-30s %-26s %8s %10s %6s %8s %8s %9s  %s\n", "vocabulary", "file", "vectors",
              "mismatches", "ids", "offsets", "decoded", "conflict", "not loaded");
  Row total;
  size_t skipped = 0;
  for (const auto& [key, row] : rows) {
    std::printf("%-30s %-26s %8zu %10zu %6zu %8zu %8zu %4zu/%-4zu  %s\n", row.vocabulary.c_str(),
                row.file.c_str(), row.vectors, row.mismatches(), row.ids, row.offsets, row.decoded,
                row.conflicts_differ, row.conflicts, row.skipped.c_str());
    if (!row.skipped.empty()) {
      skipped += row.vectors;
      continue;
    }
    total.vectors += row.vectors;
    total.ids += row.ids;
    total.offsets += row.offsets;
    total.decoded += row.decoded;
  }
  for (const auto& [reason, count] : runner.reasons()) {
    std::printf("not compared: %zu decoded texts: %s\n", count, reason.c_str());
  }
  std::printf("%zu vectors run, %zu mismatches, %zu skipped, %zu unreadable lines\n", total.vectors,
              total.mismatches(), skipped, unreadable);
  return total.mismatches() + unreadable + skipped == 0 ? 0 : 1;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
