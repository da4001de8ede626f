// SPDX-License-Identifier: Apache-2.0
//
// The vocabulary that the examples use when none is named: trained by us, see
// examples/data/README.md.
//
//   absl::StatusOr<TokenizerPtr> tokenizer = LoadDemoTokenizer(argc > 1 ? argv[1] : "", "");
#ifndef PENSTOCK_EXAMPLES_DEMO_TOKENIZER_H_
#define PENSTOCK_EXAMPLES_DEMO_TOKENIZER_H_

#include <string>

#include "penstock/tokenizer.h"

namespace penstock {

// `path` empty: the demo's own. `encoding`: for bare rank files ("llama3", …), empty: none.
inline absl::StatusOr<TokenizerPtr> LoadDemoTokenizer(const std::string& path,
                                                      const std::string& encoding) {
  LoadOptions options;
  if (!encoding.empty()) options.encoding = encoding;
  return LoadTokenizer(path.empty() ? PENSTOCK_EXAMPLES_DATA "/demo.model" : path, options);
}

}  // namespace penstock

#endif  // PENSTOCK_EXAMPLES_DEMO_TOKENIZER_H_
