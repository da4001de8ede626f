// SPDX-License-Identifier: Apache-2.0
//
// Early return for functions that return absl::Status or absl::StatusOr.
//
//   absl::Status Serve() {
//     PENSTOCK_ASSIGN_OR_RETURN(TokenizerPtr tokenizer, LoadTokenizer("tokenizer.json"));
//     PENSTOCK_RETURN_IF_ERROR(Warm(*tokenizer));
//     return absl::OkStatus();
//   }
//
// PENSTOCK_ASSIGN_OR_RETURN is a sequence of declarations: it cannot be the body of an unbraced
// `if`, and it cannot stand twice on one line.
#ifndef PENSTOCK_BASE_STATUS_MACROS_H_
#define PENSTOCK_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define PENSTOCK_RETURN_IF_ERROR(expression)                                  \
  do {                                                                        \
    if (absl::Status penstock_status = (expression); !penstock_status.ok()) { \
      return penstock_status;                                                 \
    }                                                                         \
  } while (false)

#define PENSTOCK_ASSIGN_OR_RETURN(declaration, ...)                                           \
  PENSTOCK_INTERNAL_ASSIGN_OR_RETURN(PENSTOCK_INTERNAL_CONCAT(penstock_status_or_, __LINE__), \
                                     declaration, __VA_ARGS__)

#define PENSTOCK_INTERNAL_CONCAT_(a, b) a##b
#define PENSTOCK_INTERNAL_CONCAT(a, b) PENSTOCK_INTERNAL_CONCAT_(a, b)
#define PENSTOCK_INTERNAL_ASSIGN_OR_RETURN(result, declaration, ...) \
  auto result = (__VA_ARGS__);                                       \
  if (!result.ok()) return std::move(result).status();               \
  declaration = *std::move(result)

#endif  // PENSTOCK_BASE_STATUS_MACROS_H_
