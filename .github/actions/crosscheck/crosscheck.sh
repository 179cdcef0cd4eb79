#!/usr/bin/env bash
# Builds a binary and runs its `crosscheck`; action.yml sets the variables. The exit code is that of
# `crosscheck`: 0 where all agree, 3 where some answers were slow, 4 where backends disagree.
set -euo pipefail

manifest=${MANIFEST_PATH:-Cargo.toml}
html=${HTML:-}
if [ ! -f "$manifest" ]; then
    echo "::error::crosscheck: manifest-path: there is no $manifest" >&2
    exit 2
fi

command=(cargo run --profile "${PROFILE:-release}" --manifest-path "$manifest")
if [ -n "${BIN:-}" ]; then
    command+=(--bin "$BIN")
fi
command+=(-- crosscheck)
# One argument a line, so that an argument may have spaces.
while IFS= read -r argument; do
    if [ -n "$argument" ]; then
        command+=("$argument")
    fi
done <<<"${ARGUMENTS:-}"
if [ -n "$html" ]; then
    mkdir -p "$(dirname "$html")"
    command+=(--html "$html")
fi

code=0
"${command[@]}" || code=$?

# It has written the page also where answers were slow or backends disagree, and only then.
case $code in
0 | 3 | 4)
    if [ -n "$html" ] && [ -n "${GITHUB_OUTPUT:-}" ]; then
        echo "html=$html" >>"$GITHUB_OUTPUT"
    fi
    ;;
esac
if [ "$code" -ne 0 ]; then
    echo "::error::crosscheck: exit code $code" >&2
fi
exit "$code"
