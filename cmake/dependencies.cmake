# SPDX-License-Identifier: Apache-2.0
# What the core needs. A parent project's targets win over packages.
if(NOT TARGET absl::statusor)
  find_package(absl CONFIG REQUIRED)
endif()
find_package(Threads REQUIRED)
target_link_libraries(penstock
  PUBLIC absl::status absl::statusor absl::span absl::time absl::any_invocable absl::core_headers
  PRIVATE absl::strings Threads::Threads)
