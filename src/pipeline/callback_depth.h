// SPDX-License-Identifier: Apache-2.0
//
// Whether this thread is inside a callback or the runner of a pipeline, where Drain must not wait.
//
//   const CallbackDepth depth;                    // for the time of the call
#ifndef PENSTOCK_SRC_PIPELINE_CALLBACK_DEPTH_H_
#define PENSTOCK_SRC_PIPELINE_CALLBACK_DEPTH_H_

namespace penstock::internal {

class CallbackDepth {
 public:
  CallbackDepth() { ++depth_; }
  ~CallbackDepth() { --depth_; }
  CallbackDepth(const CallbackDepth&) = delete;
  CallbackDepth& operator=(const CallbackDepth&) = delete;
  static bool active() { return depth_ > 0; }

 private:
  static inline thread_local int depth_ = 0;
};

}  // namespace penstock::internal

#endif  // PENSTOCK_SRC_PIPELINE_CALLBACK_DEPTH_H_
