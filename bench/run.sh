#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
#   sh bench/run.sh                        lists the programs
#   sh bench/run.sh base_bench --benchmark_filter=Histogram
#
# Installs what is missing (apt, when it may), builds Release in build/bench, runs one program in the current folder.
# PENSTOCK_BUILD_DIR: where to build instead of build/. PENSTOCK_JOBS: how many compilers at once.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/setup.sh"

need $packages_core $packages_sentencepiece libbenchmark-dev zlib1g-dev
mkdir -p "$build_root"
folder=$build_root/bench
configure "$folder" -DCMAKE_BUILD_TYPE=Release -DPENSTOCK_BUILD_BENCH=ON -DPENSTOCK_BUILD_TESTS=OFF \
  -DPENSTOCK_WITH_SENTENCEPIECE=ON
if [ $# = 0 ]; then
  say "usage: sh bench/run.sh PROGRAM [ARG...]; the programs:"
  sed 's/^/  /' "$folder/bench/programs.txt"
  exit 2
fi
program=$1
shift
grep -qx -e "$program" "$folder/bench/programs.txt" ||
  die "no benchmark program $program; there are: $(tr '\n' ' ' <"$folder/bench/programs.txt")"
build "$folder" "$program"
exec "$folder/bench/$program" "$@"
