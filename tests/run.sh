#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
#   sh tests/run.sh                  everything: Release build and all tests (layers, format, headers, consumers among them),
#                                    AddressSanitizer + UBSan, ThreadSanitizer for what has threads, clang without exceptions
#   sh tests/run.sh golden timing    the Release tests with these labels; `sh tests/run.sh labels` lists them
#   sh tests/run.sh coverage         which lines of the tokenizer its tests and fuzz corpora reach, file by file (gcov)
#
# Installs what is missing (apt, when it may). The last line is "N passed, N failed" or "N passed, N failed, N skipped";
# the exit status is 0 when nothing failed. Tests labelled long, or timing (real clocks, which a busy machine upsets), run only when asked for.
#
#   PENSTOCK_TEST_DATA    a folder of real vocabularies and vectors; tests that need it are skipped without
#   PENSTOCK_TEST_SEED, PENSTOCK_TEST_SCALE    other random inputs, more of them (tests/support/seed.h)
#   PENSTOCK_BUILD_DIR    where to build instead of build/        PENSTOCK_JOBS    how many compilers at once
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/cmake/setup.sh"

passed=0
failed=0
skipped=0
started=$(date +%s)
reasons=$(mktemp)
trap 'rm -f "$reasons"' EXIT

clock() { echo "$(($(date +%s) - started)) s"; }

# one NAME COMMAND…: a step that counts as one test.
one() {
  name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    say "-- $name: ok ($(clock))"
  else
    failed=$((failed + 1))
    say "-- $name: FAILED ($(clock))"
    return 1
  fi
}

# Why tests were skipped, one line a test: what stands after gtest's "file:line: Skipped", else the last line of output.
collect_reasons() {
  awk '/^[0-9]+\/[0-9]+ Testing: / { why = ""; last = ""; open = 0 }
       /^Output:$/ { open = 1; next }
       /^<end of output>$/ { open = 0 }
       open && said { why = $0; said = 0 }
       open && /: Skipped$/ { said = 1 }
       open && !/^(-+)?$/ { last = $0 }
       /^Test Skipped\.$/ { print why != "" ? why : last }' "$1/Testing/Temporary/LastTest.log" >>"$reasons"
}

# What a person who asked for a few tests wants to see: their own output, without the frame around it.
own_output() {
  sed -nE 's/^[0-9]+: ?//p' | grep -vE '^(\[[- =A-Z]+\]|Running main|Note: Google Test|Test (command|timeout)|Working Dir|$)' ||
    true
}

# tests NAME FOLDER VERBOSE CTEST-ARGUMENT…
tests() {
  name=$1
  folder=$2
  verbose=$3
  shift 3
  status=0
  $run_under ctest --test-dir "$folder" -j "$jobs" --no-tests=error --output-on-failure $verbose "$@" \
    >"$folder/ctest.log" 2>&1 || status=$?
  run=$(sed -n 's/.* tests failed out of \([0-9]*\)$/\1/p' "$folder/ctest.log")
  if [ -z "$run" ]; then
    cat "$folder/ctest.log"
    failed=$((failed + 1))
    say "-- $name: FAILED ($(clock))"
    return 0
  fi
  # The lists at the end: "	 12 - name (Skipped)", "	 13 - name (Failed)", "	 14 - name (Not Run)".
  skip=$(grep -cE '^[[:space:]]+[0-9]+ - .* \((Skipped|Disabled)\)$' "$folder/ctest.log" || true)
  bad=$(grep -cE '^[[:space:]]+[0-9]+ - .* \([A-Za-z ]+\)$' "$folder/ctest.log" || true)
  bad=$((bad - skip))
  collect_reasons "$folder"
  if [ "$status" != 0 ]; then
    [ "$bad" != 0 ] || bad=1
    grep -vE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ .* (Passed|\*\*\*Skipped) |[0-9]+: (Test|Working Dir)|test [0-9]+$)' \
      "$folder/ctest.log" || true
  elif [ -n "$verbose" ]; then
    own_output <"$folder/ctest.log"
  fi
  passed=$((passed + run - bad - skip))
  failed=$((failed + bad))
  skipped=$((skipped + skip))
  say "-- $name: $((run - bad - skip)) passed, $bad failed, $skip skipped ($(clock))"
}

finish() {
  if [ -s "$reasons" ]; then
    say "skipped, and why:"
    sort "$reasons" | uniq -c | sort -rn
  fi
  say "finished in $(clock)"
  if [ "$skipped" -gt 0 ]; then
    say "$passed passed, $failed failed, $skipped skipped"
  else
    say "$passed passed, $failed failed"
  fi
  [ "$failed" = 0 ]
  exit
}

find_clang() {
  for clang in clang++-14 clang++ clang++-15 clang++-16 clang++-17 clang++-18 clang++-19; do
    if command -v "$clang" >/dev/null 2>&1; then return 0; fi
  done
  return 1
}

run_under=
mkdir -p "$build_root"
need $packages_core $packages_sentencepiece $packages_tests
want ccache ccache
want ld.lld lld
release=$build_root/release
strict="-DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DPENSTOCK_TEST_PCH=ON -DPENSTOCK_WITH_SENTENCEPIECE=ON"

if [ "$*" = coverage ]; then
  cover=$build_root/coverage
  one "coverage: configure" configure "$cover" -C "$root/cmake/presets/coverage.cmake" -DPENSTOCK_UNITY=ON || finish
  one "coverage: build" build_together "$cover" penstock_tests_tokenizer penstock_tests_fuzz || finish
  find "$cover" -name '*.gcda' -delete
  tests "coverage: tests" "$cover" "" -L '^(tokenizer|fuzz)$' -LE '^(long|timing)$' -E '^fuzz[.](chunker|kv)'
  find "$cover/CMakeFiles/penstock.dir" -name '*.gcda' -exec gcov -n {} + 2>/dev/null |
    awk -f "$root/tests/coverage.awk" | grep ' tokenizer/' | sort -k6
  finish
fi

if [ $# -gt 0 ]; then
  one "configure" configure "$release" -C "$root/cmake/presets/release.cmake" $strict -DPENSTOCK_BUILD_BENCH=ON || finish
  labels=
  targets=
  for label in "$@"; do
    grep -qxe "$label" "$release/test_labels.txt" ||
      die "no tests have the label $label; labels: $(tr '\n' ' ' <"$release/test_labels.txt")"
    labels="${labels:+$labels|}^$label\$"
    targets="$targets penstock_tests_$label"
  done
  passed=0
  one "build" build "$release" $targets || finish
  passed=0
  tests "$*" "$release" -V -L "$labels"
  finish
fi

want clang-format-14 clang-format-14
find_clang || need clang
find_clang || die "clang was installed, but there is no clang++"

# 1. Release: library, components, tests, benchmarks, examples; all tests.
if one "release: configure" configure "$release" -C "$root/cmake/presets/release.cmake" $strict -DPENSTOCK_BUILD_BENCH=ON &&
   one "release: build" build "$release"; then
  tests "release: tests" "$release" "" -LE '^(long|timing)$'
fi

# 2. Addresses, leaks, undefined behaviour: all module tests. Real vocabularies and real time would only be slow here.
asan=$build_root/asan
if one "asan+ubsan: configure" configure "$asan" -C "$root/cmake/presets/asan.cmake" $strict -DPENSTOCK_UNITY=ON &&
   one "asan+ubsan: build" build_together "$asan" penstock_tests_sanitized; then
  UBSAN_OPTIONS=print_stacktrace=1 tests "asan+ubsan: tests" "$asan" "" -LE '^(long|timing|golden|house|package)$'
fi

# 3. Races. Address space layouts that the compiler's run-time library does not know yet are switched off where allowed.
tsan=$build_root/tsan
if one "tsan: configure" configure "$tsan" -C "$root/cmake/presets/tsan.cmake" $strict -DPENSTOCK_UNITY=ON &&
   one "tsan: build" build_together "$tsan" penstock_tests_threads; then
  if setarch "$(uname -m)" -R true 2>/dev/null; then run_under="setarch $(uname -m) -R"; fi
  TSAN_OPTIONS=halt_on_error=1 tests "tsan: tests labelled threads" "$tsan" "" -L '^threads$' -LE '^(long|timing)$'
  run_under=
fi

# 4. The other compiler, thread-safety analysis, no exceptions, no RTTI, each public header alone.
other=$build_root/clang
if one "clang, no exceptions, no RTTI: configure" configure "$other" -C "$root/cmake/presets/no-exceptions.cmake" \
     -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DPENSTOCK_UNITY=ON; then
  one "clang, no exceptions, no RTTI: the library" build_together "$other" penstock || true
  one "clang, no exceptions, no RTTI: each public header alone" build "$other" all_verify_interface_header_sets || true
fi
finish
