#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
#   sh examples/run.sh                              the main job on the requests of examples/data
#   sh examples/run.sh --help                       its options: a file or - for standard input, --tokenizer, --out, …
#   sh examples/run.sh --tokenizer model/tokenizer.model --encoding llama3 requests.jsonl
#
#   sh examples/run.sh 06_tokenizer_diff a/tokenizer.json b/tokenizer.model text.txt      another program of this folder
#
# Installs what is missing (apt, when it may), builds Release in build/examples, runs examples/05_pipeline.cc.
# PENSTOCK_BUILD_DIR: where to build instead of build/. PENSTOCK_JOBS: how many compilers at once.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/setup.sh"

program=05_pipeline
case ${1:-} in
  0[1-9]_*)
    program=$1
    shift
    [ -f "$root/examples/$program.cc" ] || die "no example $program; there are: $(cd "$root/examples" && echo 0*.cc)"
    ;;
esac
need $packages_core $packages_sentencepiece
mkdir -p "$build_root"
folder=$build_root/examples
{
  configure "$folder" -DCMAKE_BUILD_TYPE=Release -DPENSTOCK_BUILD_TESTS=OFF -DPENSTOCK_WITH_SENTENCEPIECE=ON \
    -DPENSTOCK_UNITY=ON
  build_together "$folder" "penstock_$program"
} >&2
exec "$folder/examples/$program" "$@"
