// SPDX-License-Identifier: Apache-2.0
//
// PENSTOCK_CHECK ends the process when the library itself is wrong. Never for input: bad input gets
// a Status.
#ifndef PENSTOCK_SRC_BASE_CHECK_H_
#define PENSTOCK_SRC_BASE_CHECK_H_

namespace penstock::internal {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace penstock::internal

#define PENSTOCK_CHECK(condition) \
  (static_cast<bool>(condition)   \
       ? void(0)                  \
       : ::penstock::internal::CheckFailed(__FILE__, __LINE__, #condition))

#ifdef NDEBUG
#define PENSTOCK_DCHECK(condition) (false ? PENSTOCK_CHECK(condition) : void(0))
#else
#define PENSTOCK_DCHECK(condition) PENSTOCK_CHECK(condition)
#endif

#endif  // PENSTOCK_SRC_BASE_CHECK_H_
