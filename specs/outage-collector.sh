#!/bin/bash
# Runs once, as root, when the instance first starts: sets up a job that downloads the outage data every
# 15 minutes and keeps each download in S3. The credentials are those of the instance's role.
# To look at it on the instance: journalctl -t collect-outages
set -euo pipefail

# Amazon Linux 2023 has the AWS CLI and curl, but neither cron nor jq.
for attempt in 1 2 3 4 5; do
  dnf install -y cronie jq && break
  if [ "$attempt" = 5 ]; then exit 1; fi
  sleep $((attempt * 20))
done

cat > /etc/collect-outages.conf <<'CONF'
# The address of the outage data, as JSON. CHANGE THIS: there is nothing at example.com.
OUTAGE_URL="https://outages.example.com/current.json"
# The bucket to keep it in. Empty: outages-<account id>-<region>, which is made when it is not there.
BUCKET=""
CONF

cat > /usr/local/bin/collect-outages <<'JOB'
#!/bin/bash
# Downloads the outage data once and copies it to S3, under raw/year/month/day/.
set -euo pipefail
source /etc/collect-outages.conf

log() { logger --tag collect-outages -- "$1"; }
trap 'log "failed in line $LINENO; the next attempt is in 15 minutes"' ERR

metadata=http://169.254.169.254/latest
token=$(curl -sSf --retry 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/api/token")
about() { curl -sSf --retry 3 -H "X-aws-ec2-metadata-token: $token" "$metadata/$1"; }
AWS_DEFAULT_REGION=$(about meta-data/placement/region)
export AWS_DEFAULT_REGION AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=5

if [ -z "$BUCKET" ]; then
  BUCKET="outages-$(aws sts get-caller-identity --query Account --output text)-$AWS_DEFAULT_REGION"
fi
aws s3api head-bucket --bucket "$BUCKET" 2> /dev/null || aws s3 mb "s3://$BUCKET"

download=$(mktemp)
trap 'rm -f "$download"' EXIT
curl -sSf --location --compressed --retry 5 --retry-all-errors --retry-delay 10 \
  --connect-timeout 10 --max-time 120 --output "$download" "$OUTAGE_URL"

# Companies answer with error pages of status 200 now and then; those are not worth keeping.
jq --exit-status 'type == "object" or type == "array"' "$download" > /dev/null

key="raw/$(date -u +%Y/%m/%d)/outages-$(date -u +%Y%m%dT%H%M%SZ).json"
aws s3 cp --only-show-errors --content-type application/json "$download" "s3://$BUCKET/$key"
log "kept $(stat --format %s "$download") bytes as s3://$BUCKET/$key"
JOB
chmod 755 /usr/local/bin/collect-outages

# flock: a download that hangs must not meet the next one.
cat > /etc/cron.d/collect-outages <<'CRON'
SHELL=/bin/bash
PATH=/usr/local/bin:/usr/bin:/bin
*/15 * * * * root flock --nonblock /run/collect-outages.lock collect-outages 2>&1 | logger --tag collect-outages
CRON
chmod 644 /etc/cron.d/collect-outages
systemctl enable --now crond

# The first download now, not in a quarter of an hour; that it fails is no reason to stop.
/usr/local/bin/collect-outages 2>&1 | logger --tag collect-outages || true
