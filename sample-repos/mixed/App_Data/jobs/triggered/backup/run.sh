#!/usr/bin/env bash
# Appends the time to a file that outlives runs and deployments.
set -eu
date -u +%FT%TZ >> "$WEBJOBS_DATA_PATH/backups.txt"
echo "backups so far: $(wc -l < "$WEBJOBS_DATA_PATH/backups.txt")"
