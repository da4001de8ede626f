# SPDX-License-Identifier: Apache-2.0
# Read by tests/run.sh, examples/run.sh and bench/run.sh: installs what is missing, configures, says how long things took.
# POSIX sh; expects $root, the top of the source tree.

jobs=${PENSTOCK_JOBS:-$(nproc 2>/dev/null || echo 2)}
build_root=${PENSTOCK_BUILD_DIR:-$root/build}
export CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:-pch_defines,time_macros}"  # without, ccache passes precompiled headers by

# What the library is built with, and what only tests and benchmarks need. Names are those of Debian 12 and Ubuntu 24.04.
packages_core="cmake ninja-build pkg-config libabsl-dev libpcre2-dev libsimdjson-dev"
packages_sentencepiece="libsentencepiece-dev"
packages_tests="libgtest-dev libgmock-dev libbenchmark-dev libprotobuf-dev protobuf-compiler zlib1g-dev"

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

apt_install() {
  if [ -z "${apt_updated:-}" ]; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null || return 1
    apt_updated=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" >/dev/null
}

# need PACKAGE…: installs what is missing or says what is. On systems without dpkg, CMake will say what it cannot find.
need() {
  command -v dpkg-query >/dev/null 2>&1 || return 0
  missing=
  for package in "$@"; do is_installed "$package" || missing="$missing $package"; done
  command -v c++ >/dev/null 2>&1 || missing="$missing g++"
  [ -n "$missing" ] || return 0
  may_install || die "missing packages:$missing
run: sudo apt-get update && sudo apt-get install$missing"
  say "installing:$missing"
  # shellcheck disable=SC2086
  apt_install $missing || die "apt-get could not install:$missing"
}

# want COMMAND PACKAGE: the same for a tool that is only handy; its absence is not an error.
want() {
  command -v "$1" >/dev/null 2>&1 && return 0
  may_install || return 0
  say "installing: $2"
  apt_install "$2" || say "could not install $2; going on without it"
}

# configure FOLDER [CMAKE-ARGUMENT…]: with ccache and lld where they are.
configure() {
  folder=$1
  shift
  if [ -z "${cmake_fast:-}" ]; then
    cmake_fast=" "
    if command -v ccache >/dev/null 2>&1; then
      cmake_fast="$cmake_fast -DCMAKE_CXX_COMPILER_LAUNCHER=ccache"
    fi
    if command -v ld.lld >/dev/null 2>&1; then
      cmake_fast="$cmake_fast -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -DCMAKE_SHARED_LINKER_FLAGS=-fuse-ld=lld"
    fi
  fi
  # shellcheck disable=SC2086
  cmake -S "$root" -B "$folder" -G Ninja $cmake_fast "$@" >"$folder.log" 2>&1 || { cat "$folder.log"; return 1; }
  grep -i warning "$folder.log" || true
}

# build FOLDER [TARGET…]: quiet unless it fails.
build() {
  folder=$1
  shift
  if ! cmake --build "$folder" -j "$jobs" ${1:+--target "$@"} >"$folder.log" 2>&1; then
    grep -vE '^\[[0-9]+/[0-9]+\] ' "$folder.log" | tail -n 200
    return 1
  fi
  grep -E 'warning:' "$folder.log" || true
}

# build_together FOLDER [TARGET…]: the same with PENSTOCK_UNITY, which takes half the time; where the sources of a folder do
# not get along in one unit, each by itself.
build_together() {
  folder=$1
  shift
  build "$folder" "$@" >"$folder.together.log" 2>&1 && return
  say "   (src/ does not compile with PENSTOCK_UNITY, or something else is wrong; going on without it)"
  configure "$folder" -DPENSTOCK_UNITY=OFF && build "$folder" "$@"
}
