#cloud-boothook
#!/bin/sh
# From provisioner: shuts this instance down at the time in its tag provisioner:expires.
# The tag is read every minute, so it can be moved. Without it, or with provisioner:keep, nothing happens.
unit=provisioner-expires
if [ "${1-}" != watch ]; then
  # Before sysinit.target: neither wait for the unit, nor let it wait for that.
  command -v systemd-run >/dev/null 2>&1 &&
    systemd-run --quiet --no-block --unit=$unit -p DefaultDependencies=no /bin/sh "$0" watch >/dev/null 2>&1 &&
    exit 0
  background=$(command -v setsid || command -v nohup)
  $background /bin/sh "$0" watch </dev/null >/dev/null 2>&1 &
  exit 0
fi
read_tag() {
  for imds in ${PROVISIONER_IMDS:-http://169.254.169.254 http://[fd00:ec2::254]}; do
    if command -v curl >/dev/null 2>&1; then
      token=$(curl -gsf --noproxy '*' -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
        "$imds/latest/api/token") &&
        curl -gsf --noproxy '*' -m 5 -H "X-aws-ec2-metadata-token: $token" \
          "$imds/latest/meta-data/tags/instance/$1" && return
    else
      "$(command -v python3 || command -v python || echo /usr/libexec/platform-python)" -c '
import sys
try:
    from urllib.request import ProxyHandler, Request, build_opener
except ImportError:
    from urllib2 import ProxyHandler, Request, build_opener
def get(path, headers, method):
    request = Request(sys.argv[1] + "/latest/" + path, headers=headers)
    request.get_method = lambda: method
    return build_opener(ProxyHandler({})).open(request, timeout=5).read().decode()
token = get("api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT")
print(get("meta-data/tags/instance/" + sys.argv[2], {"X-aws-ec2-metadata-token": token}, "GET"))
' "$imds" "$1" 2>/dev/null && return
    fi
  done
}
d='[0-9]'
nl='
'
while :; do
  expires=$(read_tag provisioner:expires)
  case $expires in
    $d$d$d$d-$d$d-${d}${d}T$d$d:$d$d:${d}${d}Z)
      # Times of this form are in order when their text is.
      if LC_ALL=C expr "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '>=' "$expires" >/dev/null; then
        # What has the tag provisioner:keep stays, and what cannot tell its tags looks again.
        keys=$(read_tag "") || keys=provisioner:keep
        case $nl$keys$nl in
          *"${nl}provisioner:keep$nl"*) ;;
          *) shutdown -h now "expired at $expires" || poweroff || halt -p ;;
        esac
      fi
      ;;
  esac
  sleep "${PROVISIONER_INTERVAL:-60}"
done
