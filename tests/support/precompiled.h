// SPDX-License-Identifier: Apache-2.0
//
// What nearly every test includes, compiled once for all programs (PENSTOCK_TEST_PCH).
#ifndef PENSTOCK_TESTS_SUPPORT_PRECOMPILED_H_
#define PENSTOCK_TESTS_SUPPORT_PRECOMPILED_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#endif  // PENSTOCK_TESTS_SUPPORT_PRECOMPILED_H_
