// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/huggingface/precompiled.h"

#include <string>
#include <utility>
#include <vector>

#include "penstock/base/status_macros.h"
#include "text/segmentation.h"
#include "text/utf8.h"
#include "tokenizer/fingerprint.h"
#include "tokenizer/sentencepiece/charsmap.h"

namespace penstock::internal {
namespace {

// Graphemes longer than this are mapped character by character.
constexpr size_t kMaxGraphemeBytes = 5;

// A character of the new text and what it uses up of the old: 0 one character, -n one and n more, 1
// none (Hugging Face's NormalizedString::transform).
struct Change {
  char32_t code_point;
  int change;
};

// Gives every new character the alignment that the reference's counting gives it.
void Apply(const std::vector<Change>& changes, AlignedText* text) {
  const std::string_view from = text->text();
  AlignedText::Rewriter w(*text);
  size_t offset = 0;  // in the old text
  std::string bytes;
  const auto use_up = [&] {
    if (offset < from.size()) offset += DecodeUtf8(from, offset).size;
  };
  for (const Change& c : changes) {
    bytes.clear();
    AppendUtf8(c.code_point, &bytes);
    if (c.change > 0) {
      w.Insert(bytes, offset == 0 ? Alignment() : w.AlignmentAt(offset - 1));
      continue;
    }
    w.Insert(bytes, w.AlignmentAt(offset < from.size() ? offset : from.size() - 1));
    for (int n = c.change; n <= 0; ++n) use_up();
  }
  w.Skip(from.size());
  w.Finish(text);
}

class PrecompiledNormalizer final : public Normalizer {
 public:
  PrecompiledNormalizer(spm::Charsmap map, std::string_view blob)
      : map_(std::move(map)), blob_(blob) {}

  void Normalize(const RunContext&, AlignedText* text) const override {
    const std::string_view from = text->text();
    if (!MayChange(from)) return;
    std::vector<Change> changes;
    changes.reserve(from.size());
    bool modified = false;
    for (GraphemeIterator it(from); it.Next();) {
      const std::string_view grapheme = it.segment();
      std::string_view mapped;
      if (grapheme.size() <= kMaxGraphemeBytes && Map(grapheme, &mapped)) {
        Replace(grapheme, mapped, &changes);
        modified = true;
        continue;
      }
      for (size_t pos = 0; pos < grapheme.size();) {
        const DecodedChar c = DecodeUtf8(grapheme, pos);
        const std::string_view part = grapheme.substr(pos, c.size);
        if (Map(part, &mapped)) {
          Replace(part, mapped, &changes);
          modified = true;
        } else {
          changes.push_back({c.code_point, 0});
        }
        pos += c.size;
      }
    }
    if (modified) Apply(changes, text);
  }
  // Between two graphemes: those of ASCII end after each character but CR LF; else they are counted
  // from the begin, and the begin of the last one stays whatever follows.
  size_t SplitPoint(std::string_view text) const override {
    constexpr size_t kLook = 1024;
    for (size_t pos = text.size() - 1; pos > 0 && pos + kLook > text.size(); --pos) {
      const bool ascii = ((text[pos - 1] | text[pos]) & 0x80) == 0;
      if (ascii && !(text[pos - 1] == '\r' && text[pos] == '\n')) return pos;
    }
    size_t last = 0;
    for (GraphemeIterator it(text); it.Next();) {
      last = static_cast<size_t>(it.segment().data() - text.data());
    }
    return last;
  }
  void Describe(std::string* out) const override {
    out->append("precompiled;");
    DescribeString(blob_, out);
  }

 private:
  bool MayChange(std::string_view text) const {
    for (const char c : text) {
      if (map_.Begins(c)) return true;
    }
    return false;
  }

  // The reference takes the shortest key that `part` begins with, and replaces all of `part`.
  bool Map(std::string_view part, std::string_view* mapped) const {
    for (size_t size = 1; size <= part.size(); ++size) {
      const spm::Charsmap::Match match = map_.LongestPrefix(part.substr(0, size));
      if (match.length == 0) continue;
      *mapped = match.replacement;
      return true;
    }
    return false;
  }

  // New characters replace old ones one by one; extra new ones use up nothing, extra old ones go
  // with the last change so far, whatever that was.
  static void Replace(std::string_view part, std::string_view mapped,
                      std::vector<Change>* changes) {
    int missing = 0;  // old characters without a new one
    for (const char c : part) missing += IsUtf8Continuation(c) ? 0 : 1;
    for (size_t pos = 0; pos < mapped.size(); --missing) {
      const DecodedChar c = DecodeUtf8(mapped, pos);
      changes->push_back({c.code_point, missing > 0 ? 0 : 1});
      pos += c.size;
    }
    if (missing > 0 && !changes->empty()) changes->back().change -= missing;
  }

  spm::Charsmap map_;
  std::string blob_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Normalizer>> NewPrecompiledNormalizer(
    std::string_view blob, size_t* longest_replacement) {
  PENSTOCK_ASSIGN_OR_RETURN(spm::Charsmap map, spm::Charsmap::Parse(blob));
  *longest_replacement = map.longest_replacement();
  return std::make_unique<PrecompiledNormalizer>(std::move(map), blob);
}

}  // namespace penstock::internal
