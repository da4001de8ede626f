// SPDX-License-Identifier: Apache-2.0
//
// PENSTOCK_EXPORT marks what leaves the library; everything else is hidden.
#ifndef PENSTOCK_BASE_EXPORT_H_
#define PENSTOCK_BASE_EXPORT_H_

#if defined(__GNUC__)
#define PENSTOCK_EXPORT __attribute__((visibility("default")))
#else
#define PENSTOCK_EXPORT
#endif

#endif  // PENSTOCK_BASE_EXPORT_H_
