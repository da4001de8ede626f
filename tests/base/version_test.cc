// SPDX-License-Identifier: Apache-2.0
#include "penstock/base/version.h"

#include <string>

#include "gtest/gtest.h"

namespace penstock {
namespace {

TEST(VersionTest, TheLinkedLibraryIsTheOneOfThisHeader) {
  EXPECT_EQ(std::string(Version()), std::to_string(PENSTOCK_VERSION_MAJOR) + "." +
                                        std::to_string(PENSTOCK_VERSION_MINOR) + "." +
                                        std::to_string(PENSTOCK_VERSION_PATCH));
}

}  // namespace
}  // namespace penstock
