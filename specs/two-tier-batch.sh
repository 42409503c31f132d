#!/bin/bash
# Runs once, as root, when a batch server first starts: makes file systems on its two further volumes.
set -euo pipefail

# AWS calls the volumes /dev/nvme1n1 and so on; which is which tells the name that the spec gave them, which
# Amazon Linux keeps as a link.
for mount in sdf:/data sdg:/scratch; do
  device="/dev/${mount%%:*}"
  folder="${mount#*:}"
  for _ in $(seq 60); do
    [ -e "$device" ] && break
    sleep 2
  done
  # A volume that was kept from an earlier server has its file system already.
  blkid "$device" || mkfs.xfs "$device"
  mkdir -p "$folder"
  echo "$device $folder xfs defaults,nofail 0 2" >> /etc/fstab
done
mount --all
