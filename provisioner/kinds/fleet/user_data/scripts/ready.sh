#cloud-boothook
#!/bin/sh
# From provisioner: says on the serial console when user data has finished, and how.
unit=provisioner-ready
id=${INSTANCE_ID:-$(basename "$(readlink -f /var/lib/cloud/instance)")}
if [ "${1-}" != wait ]; then
  command -v systemd-run >/dev/null 2>&1 &&
    systemd-run --quiet --no-block --unit=$unit -p DefaultDependencies=no \
      /bin/sh "$0" wait "$id" >/dev/null 2>&1 &&
    exit 0
  background=$(command -v setsid || command -v nohup)
  $background /bin/sh "$0" wait "$id" </dev/null >/dev/null 2>&1 &
  exit 0
fi
root=${PROVISIONER_ROOT-}
result=$root/run/cloud-init/result.json
first=$root/var/lib/cloud/instances/$2/provisioner-ready
# cloud-init writes it at the end of each boot; /run is empty at the beginning of each.
until [ -s "$result" ]; do sleep "${PROVISIONER_INTERVAL:-2}"; done
# Scripts run at the first boot only, so what became of them then is what counts.
if [ ! -s "$first" ]; then
  if tr -d ' \t\r\n' <"$result" | grep -q '"errors":\[\]'; then
    echo finished >"$first"
  else
    { printf 'failed: '; tr -s ' \t\r\n' ' ' <"$result" | sed 's/.*"errors": *//' | tr -cd ' -~' | cut -c1-300; } >"$first"
  fi
fi
boot=$(cat "$root/proc/sys/kernel/random/boot_id")
for console in $(cat "$root/sys/class/tty/console/active" || echo console); do
  printf '\r\nprovisioner: %s boot %s: user data %s\r\n' "$2" "$boot" "$(cat "$first")" >"$root/dev/$console"
done
