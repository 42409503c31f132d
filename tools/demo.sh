#!/usr/bin/env bash
# The main job on a local AWS of its own: plan, apply, plan again, status, destroy; leaves nothing behind.
set -euo pipefail
PROVISIONER_LOCAL_DIR=$(mktemp -d)
export PROVISIONER_LOCAL_DIR PROVISIONER_LOCAL=1
provisioner=${PROVISIONER:?}
spec=${SPEC:?}

step() {
    printf '\n$ provisioner %s\n' "$*"
    "$provisioner" "$@"
}

cleanup() {
    "$provisioner" local down >/dev/null || true
    rm -rf "$PROVISIONER_LOCAL_DIR"
}
trap cleanup EXIT

step local up --port 0
step plan "$spec"
step apply "$spec" --yes
step plan "$spec"
step status "$spec"
step destroy "$spec" --yes
step plan "$spec" --destroy
