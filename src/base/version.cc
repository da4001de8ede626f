// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/version.h"

#define PENSTOCK_STRING_(x) #x
#define PENSTOCK_STRING(x) PENSTOCK_STRING_(x)

namespace penstock {

std::string_view Version() {
  return PENSTOCK_STRING(PENSTOCK_VERSION_MAJOR) "." PENSTOCK_STRING(
      PENSTOCK_VERSION_MINOR) "." PENSTOCK_STRING(PENSTOCK_VERSION_PATCH);
}

}  // namespace penstock
