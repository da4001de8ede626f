// SPDX-License-Identifier: Apache-2.0
//
// The one bridge to abseil's string_view, which is not std::string_view where a distribution built
// abseil that way.
//
//   absl::InvalidArgumentError(absl::StrCat(AbslView(path), ": empty file"))
#ifndef PENSTOCK_SRC_BASE_ABSL_COMPAT_H_
#define PENSTOCK_SRC_BASE_ABSL_COMPAT_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace penstock::internal {

inline absl::string_view AbslView(std::string_view s) {
  return absl::string_view(s.data(), s.size());
}
inline std::string_view StdView(absl::string_view s) {
  return std::string_view(s.data(), s.size());
}

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_BASE_ABSL_COMPAT_H_
