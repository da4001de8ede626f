// SPDX-License-Identifier: Apache-2.0
//
// The version of penstock; the one place where it is written. CMake reads it from here.
//
//   static_assert(PENSTOCK_VERSION_MAJOR == 0);
//   LOG(INFO) << penstock::Version();  // "0.1.0": of the library linked, not of this header
#ifndef PENSTOCK_BASE_VERSION_H_
#define PENSTOCK_BASE_VERSION_H_

#include <string_view>

#include "penstock/base/export.h"

#define PENSTOCK_VERSION_MAJOR 0
#define PENSTOCK_VERSION_MINOR 1
#define PENSTOCK_VERSION_PATCH 0

namespace penstock {

// "major.minor.patch" of the linked library.
PENSTOCK_EXPORT std::string_view Version();

}  // namespace penstock

#endif  // PENSTOCK_BASE_VERSION_H_
