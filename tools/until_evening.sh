#!/usr/bin/env bash
# Fifty servers by lunchtime, gone by evening, on a local AWS of its own: what the README shows of it is made by this.
set -euo pipefail
work=$(mktemp -d)
export PROVISIONER_LOCAL_DIR=$work/local XDG_CACHE_HOME=$work/cache HOME=$work COLUMNS=100 NO_COLOR=1
export PROVISIONER_MY_IP=203.0.113.7
unset PROVISIONER_MAKE PROVISIONER_LOCAL
PATH=$(cd "$(dirname "${PROVISIONER:?}")" && pwd):$PATH

step() {
    printf '$ %s\n' "$1"
    eval "$1" 2>&1
}

cleanup() {
    provisioner local down >/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

mkdir "$work/.ssh"
ssh-keygen -q -t ed25519 -N "" -C me -f "$work/.ssh/id_ed25519"
cd "$work"
provisioner local up --port 0 >/dev/null
step 'export PROVISIONER_LOCAL=1  # all of it on the local AWS'
step 'provisioner init crunch.yaml --yes --count 50 --instance-type t3.large --expires 8h | head -n 1'
step 'provisioner plan crunch.yaml | grep -A 2 ^Cost'
step 'provisioner apply crunch.yaml --yes 2>/dev/null | sed -n "/^Done/,\$p" | grep . | head -n 5'
step 'provisioner ssh-config crunch.yaml --out crunch.ssh' | sed "s|$work|~|"
step 'provisioner inventory crunch.yaml | grep -c ansible_host'
step 'provisioner status crunch.yaml | grep -A 1 ^fleet'
step 'provisioner local advance 9h  # the evening comes, whoever looks'
step 'provisioner reap --region us-east-1 --yes | tail -n 1  # for what did not end by itself'
step 'provisioner destroy crunch.yaml --yes 2>/dev/null | tail -n 1'
