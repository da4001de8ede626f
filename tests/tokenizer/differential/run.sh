#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
#   pip install tokenizers==0.22.2 tiktoken sentencepiece==0.2.3 protobuf
#   sh tests/run.sh differential                              all five programs, about an hour
#   PENSTOCK_TEST_SCALE=10 sh tests/run.sh differential       ten times as much
#
#   known_files            every vocabulary of PENSTOCK_TEST_DATA × 20,000 generated strings
#   model_shapes           38 public models' components × 5 vocabularies × 100 texts, and changed fields
#   random_pipelines       2,000 random tokenizer.json × 30 texts (or pairs)
#   random_sentencepiece   200 models trained with random options × 200 texts
#   random_ranks           300 random rank files × 100 texts
#
# `run.sh PROGRAM PATH/penstock_serve_tool` runs one. Status 77: a module or the data folder is not there.
set -eu
program=$1
tool=$2
here=$(cd "$(dirname "$0")" && pwd)
scale=${PENSTOCK_TEST_SCALE:-1}
case $program in
  known_files) modules="tokenizers tiktoken sentencepiece" options="-n $((20000 * scale))" ;;
  model_shapes) modules="tokenizers sentencepiece google.protobuf" options="-n $((5 * scale))" ;;
  random_pipelines) modules="tokenizers" options="-n $((2000 * scale))" ;;
  random_sentencepiece) modules="tokenizers sentencepiece google.protobuf" options="-n $((200 * scale))" ;;
  random_ranks) modules="tokenizers tiktoken" options="-n $((300 * scale))" ;;
  *) echo "no program $program" && exit 2 ;;
esac
if [ "$program" = known_files ] && [ -z "${PENSTOCK_TEST_DATA:-}" ]; then
  echo "PENSTOCK_TEST_DATA is not set"
  exit 77
fi
for module in $modules; do
  if ! python3 -c "import $module" 2>/dev/null; then
    echo "python3 has no module $module: pip install tokenizers==0.22.2 tiktoken sentencepiece==0.2.3 protobuf"
    exit 77
  fi
done
exec python3 "$here/$program.py" "$tool" $options
