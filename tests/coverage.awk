# SPDX-License-Identifier: Apache-2.0
# Sums what `gcov -n` prints into one line a file below src/: lines reached, lines, percent. tests/run.sh coverage
/^File / { file = $2; gsub(/'/, "", file); inside = sub(/^.*\/src\//, "", file) && file ~ /\.(cc|h)$/; next }
/^Lines executed:/ && inside {
  split($0, part, /[:% ]+/)  # "Lines executed:95.00% of 40"
  percent = part[3]; lines = part[5]
  reached = int(percent * lines / 100 + 0.5)
  if (reached > best[file] || !(file in all)) best[file] = reached
  all[file] = lines
  inside = 0
}
END {
  for (file in all) {
    printf "%6.1f %%  %5d of %5d  %s\n", all[file] ? 100 * best[file] / all[file] : 100, best[file], all[file], file
    folder = file; sub(/\/[^\/]*$/, "", folder)
    sum[folder] += best[file]; of[folder] += all[file]
  }
  for (folder in of) printf "%6.1f %%  %5d of %5d  %s/ (together)\n", 100 * sum[folder] / of[folder], sum[folder], of[folder], folder
}
