// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "penstock/kv_cache/eviction.h"

namespace penstock {

std::unique_ptr<EvictionPolicy> NewSessionPolicy(const SessionPolicyOptions&) {
  return NewLruPolicy();
}

}  // namespace penstock
