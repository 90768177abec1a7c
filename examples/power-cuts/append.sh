#!/bin/sh
# A program that is not JavaScript: lines appended to a log, each synced before it is printed.
mkdir -p data
: >>data/log
sync data data/log
for line in one two three; do
  echo "$line" >>data/log
  sync data/log
  echo "$line"
done
