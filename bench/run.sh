#!/usr/bin/env bash
# Prints every table of this folder in Markdown. The temporary folder has to lie
# on the disk that is to be measured: TMPDIR chooses another.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/bench" .
go test -c -o "$work/bench.test" .
"$work/bench" -all "$@"
"$work/bench.test" -test.run '^TestDay$' -test.timeout 10m -report | grep -v '^PASS$'
