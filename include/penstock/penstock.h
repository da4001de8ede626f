// SPDX-License-Identifier: Apache-2.0
//
// penstock: the pipe between a request's text and a model's prefill.
#ifndef PENSTOCK_PENSTOCK_H_
#define PENSTOCK_PENSTOCK_H_

#include "penstock/base/version.h"

#endif  // PENSTOCK_PENSTOCK_H_
