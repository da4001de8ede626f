// SPDX-License-Identifier: Apache-2.0
//
// Runs every row of a folder of sentence splits against SplitSentences().
//
//   PENSTOCK_TEST_DATA=FOLDER penstock_sentences_runner [--rows] [--auto] [LANGUAGE…]
//
// FOLDER/sentences/LANGUAGE.jsonl holds one object a line: text, sentences, and optionally lang,
// golden (a row of the published golden rules), substring (false: the sentences are a cleaned form
// of the text), conflict (sources disagree). A row is right when the boundaries inside the text are
// exactly those expected, white space apart; rows whose sentences are not the text's characters are
// skipped.
//   --rows: prints the rows that are wrong.   --auto: does not tell the language.
// Prints per language: rows, wrong rows, boundaries found too many (over) and too few (missed), for
// golden rows and for all. Exit: 0 within the bars (golden rows: at most 1 in 48 wrong in English,
// 1 in 40 in all others together), 1 beyond them, 77 no folder (ctest: skipped).
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "chunker/char_class.h"
#include "penstock/chunker/boundary.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

struct Counts {
  size_t rows = 0, wrong = 0, boundaries = 0, over = 0, missed = 0, conflicts = 0, skipped = 0;

  void Add(const Counts& c) {
    rows += c.rows;
    wrong += c.wrong;
    boundaries += c.boundaries;
    over += c.over;
    missed += c.missed;
    conflicts += c.conflicts;
    skipped += c.skipped;
  }
};

bool IsSpace(char32_t c) {
  const internal::CharClass cls = internal::ClassifyChar(c);
  return cls == internal::CharClass::kSpace || cls == internal::CharClass::kNewline;
}

std::string WithoutSpace(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const internal::DecodedChar c = internal::DecodeUtf8(text, i);
    if (!IsSpace(c.code_point)) out += text.substr(i, c.size);
    i += c.size;
  }
  return out;
}

// Ends of the parts but the last, in bytes that are no white space.
std::set<size_t> InnerEnds(const std::vector<std::string>& parts) {
  std::set<size_t> ends;
  size_t end = 0;
  for (const std::string& part : parts) {
    end += WithoutSpace(part).size();
    ends.insert(end);
  }
  ends.erase(end);
  ends.erase(0);
  return ends;
}

struct Row {
  std::string text, lang;
  std::vector<std::string> sentences;
  bool golden = false, conflict = false;
};

bool Flag(simdjson::dom::element row, const char* name) {
  simdjson::dom::element value;
  if (row[name].get(value) != simdjson::SUCCESS || value.is_null()) return false;
  bool flag = false;
  if (value.get(flag) == simdjson::SUCCESS) return flag;
  return true;  // an explanation
}

bool ParseRow(simdjson::dom::parser& parser, const std::string& line, const std::string& file_lang,
              Row* row) {
  simdjson::dom::element object;
  if (parser.parse(line).get(object) != simdjson::SUCCESS) return false;
  std::string_view text;
  simdjson::dom::array sentences;
  if (object["text"].get(text) != simdjson::SUCCESS) return false;
  if (object["sentences"].get(sentences) != simdjson::SUCCESS) return false;
  row->text = std::string(text);
  row->lang = file_lang;
  std::string_view lang;
  if (object["lang"].get(lang) == simdjson::SUCCESS) row->lang = std::string(lang);
  for (const simdjson::dom::element sentence : sentences) {
    std::string_view value;
    if (sentence.get(value) != simdjson::SUCCESS) return false;
    row->sentences.emplace_back(value);
  }
  row->golden = Flag(object, "golden");
  row->conflict = Flag(object, "conflict");
  return true;
}

void PrintRow(const Row& row, const std::vector<std::string>& found) {
  std::printf("  %s%s %s\n", row.lang.c_str(), row.golden ? " golden" : "", row.text.c_str());
  for (const std::string& s : row.sentences) std::printf("    expected | %s\n", s.c_str());
  for (const std::string& s : found) std::printf("    found    | %s\n", s.c_str());
}

void RunRow(const Row& row, bool tell_language, bool print, Counts* counts) {
  std::string expected;
  for (const std::string& s : row.sentences) expected += WithoutSpace(s);
  if (expected != WithoutSpace(row.text)) {
    ++counts->skipped;
    return;
  }
  BoundaryOptions options;
  if (tell_language) options.language = row.lang;
  std::vector<std::string> found;
  for (const ByteRange s : SplitSentences(row.text, options)) found.emplace_back(s.In(row.text));
  const std::set<size_t> want = InnerEnds(row.sentences);
  const std::set<size_t> have = InnerEnds(found);
  std::vector<size_t> over, missed;
  std::set_difference(have.begin(), have.end(), want.begin(), want.end(), std::back_inserter(over));
  std::set_difference(want.begin(), want.end(), have.begin(), have.end(),
                      std::back_inserter(missed));
  const bool wrong = !over.empty() || !missed.empty();
  if (wrong && print) PrintRow(row, found);
  if (row.conflict) {
    ++counts->conflicts;
    return;
  }
  ++counts->rows;
  counts->wrong += wrong;
  counts->boundaries += want.size();
  counts->over += over.size();
  counts->missed += missed.size();
}

void PrintCounts(const char* name, const char* kind, const Counts& c) {
  const size_t correct = c.boundaries - c.missed;
  const size_t sum = c.boundaries + correct + c.over;  // expected + found
  const double f1 =
      sum == 0 ? 100 : 200.0 * static_cast<double>(correct) / static_cast<double>(sum);
  std::printf("%-9s %-7s %6zu %6zu %8zu %6zu %7zu %7.2f %9zu %8zu\n", name, kind, c.rows, c.wrong,
              c.boundaries, c.over, c.missed, f1, c.conflicts, c.skipped);
}

int Main(int argc, char** argv) {
  bool print = false;
  bool tell_language = true;
  std::set<std::string> only;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rows") == 0) {
      print = true;
    } else if (std::strcmp(argv[i], "--auto") == 0) {
      tell_language = false;
    } else {
      only.insert(argv[i]);
    }
  }
  const char* const root = std::getenv("PENSTOCK_TEST_DATA");
  const fs::path folder = root == nullptr ? fs::path() : fs::path(root) / "sentences";
  if (root == nullptr || !fs::is_directory(folder)) {
    std::printf("PENSTOCK_TEST_DATA has no folder sentences/: skipped\n");
    return 77;
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::map<std::string, Counts> golden, all;
  simdjson::dom::parser parser;
  size_t unreadable = 0;
  for (const fs::path& file : files) {
    const std::string lang = file.stem().string();
    if (!only.empty() && only.count(lang) == 0) continue;
    std::ifstream in(file, std::ios::binary);
    for (std::string line; std::getline(in, line);) {
      if (line.empty()) continue;
      Row row;
      if (!ParseRow(parser, line, lang, &row)) {
        ++unreadable;
        continue;
      }
      Counts counts;
      RunRow(row, tell_language, print, &counts);
      all[row.lang].Add(counts);
      if (row.golden) golden[row.lang].Add(counts);
    }
  }
  std::printf("%-9s %-7s %6s %6s %8s %6s %7s %7s %9s %8s\n", "language", "rows of", "rows", "wrong",
              "inner", "over", "missed", "F1", "conflicts", "skipped");
  Counts english, others, everything;
  for (const auto& [lang, counts] : all) {
    if (golden.count(lang) != 0) PrintCounts(lang.c_str(), "golden", golden[lang]);
    PrintCounts(lang.c_str(), "all", counts);
    everything.Add(counts);
    (lang == "en" ? english : others).Add(golden[lang]);
  }
  PrintCounts("others", "golden", others);
  PrintCounts("total", "all", everything);
  if (unreadable > 0) std::printf("%zu rows were no row objects\n", unreadable);
  const bool good = english.wrong * 48 <= english.rows && others.wrong * 40 <= others.rows;
  std::printf(
      "golden rows: English %zu of %zu wrong (bar 1 in 48), others %zu of %zu (bar 1 in 40)\n",
      english.wrong, english.rows, others.wrong, others.rows);
  return good && unreadable == 0 ? 0 : 1;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::Main(argc, argv); }
