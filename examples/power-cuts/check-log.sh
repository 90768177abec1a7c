#!/bin/sh
# Every line that was printed stands in the log.
while read -r line; do
  grep -qx "$line" "$1/log" || { echo "$line was printed, and is not in the log" >&2; exit 1; }
done
