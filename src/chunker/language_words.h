// SPDX-License-Identifier: Apache-2.0
//
// Word lists per language, written for this library from general knowledge of each language.
// Words are in lower case, separated by spaces, without their last full stop.
#ifndef PENSTOCK_SRC_CHUNKER_LANGUAGE_WORDS_H_
#define PENSTOCK_SRC_CHUNKER_LANGUAGE_WORDS_H_

#include "chunker/language.h"

namespace penstock::internal {

struct LanguageWords {
  Language language;
  const char* title;
  const char* number;
  const char* month;
  const char* word;
  const char* starter;
  const char* calendar;
  const char* frequent;
  const char* speech;
};

// One entry per language; see language_words_*.cc.
extern const LanguageWords kWesternWords[];
extern const int kWesternWordsSize;
extern const LanguageWords kEasternWords[];
extern const int kEasternWordsSize;

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_CHUNKER_LANGUAGE_WORDS_H_
