// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as text, for a small vocabulary of every kind. The first byte chooses the vocabulary,
// the second how the text is cut into segments.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tokenizer/invariants.h"
#include "tests/tokenizer/small_vocabularies.h"

namespace penstock {
namespace {

struct Subject {
  SmallVocabulary vocabulary;
  TokenizerPtr tokenizer;
};

const std::vector<Subject>& Subjects() {
  static const std::vector<Subject>* const subjects = [] {
    auto* all = new std::vector<Subject>;
    for (SmallVocabulary& v : SmallVocabularies()) {
      TokenizerPtr t = Load(v);
      all->push_back({std::move(v), std::move(t)});
    }
    return all;
  }();
  return *subjects;
}

[[noreturn]] void Fail(const Subject& subject, const char* what) {
  std::fprintf(stderr, "broken: %s: %s\n", subject.vocabulary.name.c_str(), what);
  std::abort();
}

bool RoundTrips(const Subject& subject, std::string_view text) {
  switch (subject.vocabulary.round_trip) {
    case SmallVocabulary::RoundTrip::kNo:
      return true;
    case SmallVocabulary::RoundTrip::kUtf8:
      if (!internal::IsValidUtf8(text)) return true;
      break;
    case SmallVocabulary::RoundTrip::kBytes:
      break;
  }
  // The space symbol of SentencePiece and of files made from it decodes to a space.
  if (subject.vocabulary.name.find("level") == std::string::npos &&
      subject.vocabulary.name.find("ranks") == std::string::npos &&
      subject.vocabulary.name.find("gpt2") == std::string::npos &&
      text.find("\xE2\x96\x81") != std::string_view::npos) {
    return true;
  }
  return subject.tokenizer->Decode(subject.tokenizer->EncodeIds(text)) == text;
}

}  // namespace
}  // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;  // NOLINT: a fuzz target is one function
  if (size < 2) return 0;
  const Subject& subject = Subjects()[data[0] % Subjects().size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (const char* what = Broken(*subject.tokenizer, text, data[1])) Fail(subject, what);
  if (!RoundTrips(subject, text)) Fail(subject, "Decode(EncodeIds(x)) != x");
  std::vector<Segment> segments;
  for (size_t at = 0, i = 0; at < text.size(); ++i) {
    const size_t length = 1 + (data[1] >> (i % 4)) % 8;
    const std::string_view part = text.substr(at, length);
    segments.push_back(((data[1] >> (i % 7)) & 1) != 0 ? Trusted(part) : Untrusted(part));
    at += part.size();
  }
  if (const char* what = BrokenAtSeams(*subject.tokenizer, segments)) Fail(subject, what);
  return 0;
}
