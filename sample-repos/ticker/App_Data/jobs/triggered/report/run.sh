#!/usr/bin/env bash
# Reports on this run; arguments come after `--arguments` or `?arguments=`.
set -eu
echo "report by $WEBJOBS_NAME, run $WEBJOBS_RUN_ID"
for argument in "$@"; do
    echo "argument: $argument"
done
for step in 1 2 3; do
    echo "step $step of 3"
    sleep 0.1
done
echo "nothing to complain about" >&2
