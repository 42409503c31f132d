"""What looks like a secret in a spec is told, by place and sort; what only resembles one is not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from provisioner.kinds import KINDS
from provisioner.spec import load
from provisioner.spec.suspects import ALLOWED, suspects
from tests.support.build import environment, planned

# Of processor time, for a text that is larger than any that is looked at: some 30 times what it takes.
MOST_S = 30.0
LETTERS = "q7Zk2Lm9Xw4Rt6Yp3Vb8Nc5Jd"
# Put together here, so that nothing in this file is taken for a secret by whoever looks for some.
AKIA = "AK" + "IA" + "QRSTUVWXYZ234567"
LONG = (LETTERS * 3)[:40]
HASH = "$6" + "$abcdefgh$" + LETTERS * 3

SUSPECT = {
    f"aws_access_key_id = {AKIA}": "an AWS access key id",
    f"export AWS_SECRET_ACCESS_KEY={LONG}": "an AWS secret access key",
    f'"SecretAccessKey": "{LONG}",': "an AWS secret access key",
    "-----BEGIN RSA PRIVATE " + "KEY-----": "a private key",
    "      -----BEGIN PRIVATE " + "KEY-----": "a private key",
    "git clone https://x:ghp" + f"_{LONG}@github.com/a/b": "a token of GitHub",
    f"TOKEN=glpat-{LETTERS}": "a token of GitLab",
    f"curl -d x https://hooks.slack.com/services/T0AB/B0CD/{LETTERS}": "a webhook of Slack",
    f"slack: xoxb-{LETTERS}": "a token of Slack",
    "STRIPE=sk" + f"_live_{LETTERS}": "a key of Stripe",
    f"passwd: {HASH}": "a password's hash",
    "psql postgres://app:s3cr3tpw@db.internal/app": "a password in an address",
    "export DB_PASSWORD=hunter2abc": "a password",
    "export DB_PASSWORD='correct horse battery'": "a password",
    "password: gocubs": "a password",
    '"MasterUserPassword": "Tr0ub4dor"': "a password",
    "tags: {DbPassword: s3cr3t-value}": "a password",
    "description: uses password=Tr0ub4dor": "a password",
    "mysql -u root --password=Tr0ub4dor": "a password",
    "tool --password Tr0ub4dor --user x": "a password",
    "echo 'ec2-user:Tr0ub4dor' | sudo chpasswd": "a password",
    "MYSQL_PWD=hunter2x mysqldump app": "a password",
    "ENV DB_PASS=hunter2x": "a password",
    "db_pass: hunter2x": "a password",
    "Server=db;Uid=app;Pwd=hunter2x;": "a password",
    "mysql -u root -phunter2x app": "a password",
    "mysqldump -h db -p'hunter2x' app": "a password",
    "- [mysql, -u, root, -phunter2x]": "a password",
    "curl -sSf -u admin:hunter2x https://repo.example.com/x": "a password",
    "curl --user 'admin:hunter2x' https://repo.example.com/x": "a password",
    '- [curl, "-u", "admin:hunter2x", x]': "a password",
    "redis-cli -h cache -a hunter2x ping": "a password",
    "requirepass hunter2x": "a password",
    "sshpass -p hunter2x ssh admin@host": "a password",
    "sshpass -phunter2x ssh admin@host": "a password",
    "docker login -u me -p hunter2x registry.example.com": "a password",
    "net user Administrator hunter2x": "a password",
    "net user admin LongEnough /add": "a password",
    '$Password = "hunter2x"': "a password",
    "$env:DB_PASSWORD = 'hunter2x'": "a password",
    'ConvertTo-SecureString "hunter2x" -AsPlainText -Force': "a password",
    "ConvertTo-SecureString -AsPlainText -Force -String 'hunter2x'": "a password",
    'chpasswd: {list: "root:hunter2x"}': "a password",
    f"api_key: {LETTERS}": "a key or token",
    f"SECRET={LETTERS}": "a key or token",
    "SECRET=abcdefghijkl1234": "a key or token",
    "API_SECRET: abcdefghijkl1234": "a key or token",
    "JWT_SECRET=s3cr3t-for-signing": "a key or token",
    "JWT_SECRET=correcthorsebatterystaple": "a key or token",
    f'  jwtSecret: "{LETTERS}"': "a key or token",
    "TOKEN=abcdefghijkl1234": "a key or token",
    f"export GITHUB_TOKEN='{LETTERS}'": "a key or token",
    "REDIS_AUTH=hunter2hunter": "a key or token",
    f"AWS_SESSION_TOKEN={LETTERS}//////////": "a key or token",
    f"AccountName=app;AccountKey={LETTERS * 3}==;EndpointSuffix=core.windows.net": "a key or token",
    "credentials: app:S3cretPass1": "a key or token",
    f'curl -H "Authorization: Bearer {LETTERS}" https://api.example.com': "a key or token",
    "Authorization: Basic YWRtaW46aHVudGVyMng=": "a key or token",
    f"curl -H 'X-Vault-Token: {LETTERS}' https://vault.example.com": "a key or token",
    "kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef": "a key or token",
    f"CLIENT_SECRET={LETTERS}": "a key or token",
}

HONEST = [
    # Taken from elsewhere.
    "PASSWORD=$(aws ssm get-parameter --name /db/password --with-decryption --query Parameter.Value)",
    'export DB_PASSWORD="$1"',
    "export DB_PASSWORD=${DB_PASSWORD}",
    "password: {{ resolve:secretsmanager:db }}",
    "password: '{{ db_password }}'",
    "MasterUserPassword: !Sub '${Secret}'",
    "MYSQL_ROOT_PASSWORD_FILE=/run/secrets/db",
    "password: /prod/db/password",
    "docker login --password-stdin",
    "cat /etc/pw | docker login -u x --password-stdin registry.example.com",
    'curl -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest/',
    "TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl: 6')",
    "redis://:$PASSWORD@cache:6379/0",
    "proxy: http://[[user][:pass]@]host[:port]/",
    "mysql -u root -p app",
    'mysql -u root -p"$DB_PASSWORD" app',
    "mysql --port=3306 --protocol=tcp",
    'curl -u "admin:$PASSWORD" https://repo.example.com',
    "curl -u admin https://repo.example.com:8443/x",
    "sshpass -p $PASSWORD ssh admin@host",
    "sshpass -f /etc/pw ssh admin@host",
    "docker login -u AWS -p $(aws ecr get-login-password) registry.example.com",
    "docker login -u me -p ${PASSWORD} registry.example.com",
    "docker run -p 8080:80 registry.example.com/login",
    "net user Administrator /active:yes",
    "net user Administrator $Password",
    "$Password = Read-Host -AsSecureString",
    '$Password = "$env:DB_PASSWORD"',
    "ConvertTo-SecureString $Password -AsPlainText -Force",
    'chpasswd: {list: "root:RANDOM"}',
    "chpasswd: {expire: false}",
    'curl -H "Authorization: Bearer $TOKEN" https://api.example.com',
    "Authorization: Bearer <token>",
    "GITHUB_TOKEN=${{ secrets.GITHUB_TOKEN }}",
    "SECRET=$(cat /run/secrets/app-2026-key1)",
    "SECRET=prod/db/app-2",
    "secret: prod-db-2a",
    "JWT_SECRET=changeme123",
    "TOKEN=<your-token-1234567890>",
    "TOKEN=https://login.example.com/oauth2/v1/token",
    "API_SECRET: '{{resolve:secretsmanager:prod/app1:SecretString:key1}}'",
    "REDIS_AUTH=none",
    "DB_PASS=false",
    "DB_PASS_FILE=/run/secrets/db1",
    'export PWD="$OLDPWD"',
    "PWD=/srv/app1",
    "first_pass: complete",
    "token = requests.put(url1, headers=ttl)",
    "secret = boto3.client('secretsmanager').get_secret_value(SecretId=name)",
    "AWS_SESSION_TOKEN=$AWS_SESSION_TOKEN",
    "AccountKey=<account-key-0000>",
    "--secret-id prod/db1/app",
    # What is no secret at all.
    "reset-password: allowed",
    "change_password: monthly-by-mail",
    "next_token: optional-value",
    "oauth: version2enabled",
    "redis-cli -a $REDIS_PASSWORD ping",
    "secret_name: app-2026-production",
    "access_token_url: https://login.example.com/token",
    "PasswordAuthentication no",
    "lock_passwd: true",
    "ssh_pwauth: false",
    "ManageMasterUserPassword: true",
    "password: changeme",
    "# password: the one that you were given",
    "http_tokens: required",
    "key_name: ops-2026-deploy",
    "kms_key_id: arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012",
    'Resource: "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"',
    "Action: [secretsmanager:GetSecretValue, ssm:GetParameter]",
    "image: {ssm: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4bV2Q0c5Jd9Xw4Rt6Yp3Vb8Nc5JdLm9Xw4Rt6Yp3Vb me@host",
    "sha256sum -c <<< 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  agent.rpm'",
    "image: registry.example.com/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "git checkout 4a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    # The keys that AWS's own documents show.
    "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
]


@pytest.mark.parametrize("line", SUSPECT)
def test_a_secret_is_told_by_its_sort_and_never_shown(line: str) -> None:
    (found,) = suspects("boot.sh", f"#!/bin/sh\n{line}\n")
    assert (found.line, found.message) == (2, f"this looks like {SUSPECT[line]}")
    secret = line[found.column - 1 :].split()[0]
    assert secret not in str(found)


@pytest.mark.parametrize("line", HONEST)
def test_what_only_resembles_one_is_not_told(line: str) -> None:
    assert list(suspects("boot.sh", line)) == []


BELOW_CHPASSWD = """\
chpasswd:
  expire: false
  list: |
    root:hunter2x
    admin:RANDOM
users:
  - name: admin
"""


@pytest.mark.parametrize("text", [BELOW_CHPASSWD, "\nchpasswd <<EOF\n\nroot:hunter2x\nEOF\n"])
def test_the_lines_that_chpasswd_reads_are_looked_at(text: str) -> None:
    assert [(found.line, found.message) for found in suspects("boot.sh", text)] == [
        (4, "this looks like a password")
    ]


def test_a_line_can_say_that_it_is_none() -> None:
    line = "export DB_PASSWORD=hunter2abc"
    assert list(suspects("boot.sh", f"{line}  # {ALLOWED}")) == []
    assert list(suspects("boot.sh", line)) != []


# What is slow to search for a pattern that backtracks: long runs that nearly fit.
LONG_RUNS = [
    "a" * 99 + "_",
    "a.",
    "eyJ-",
    "password ",
    "password:",
    "token=",
    "://a:",
    "$1$",
    "secret_key",
    "a-b.",
    "curl -u a",
    "curl -u a:",
    "docker login ",
    "mysql -p",
    "chpasswd: list:",
    "net user a ",
    "x-a",
    "--token",
    "$a",
    "authorization: ",
    "convertto-securestring -a ",
]


@pytest.mark.parametrize("run", LONG_RUNS)
# With words before it that let every pattern begin; without them it is the easier case.
@pytest.mark.parametrize(
    "around", [pytest.param("", marks=pytest.mark.long, id="alone"), "password token secret:// eyJ "]
)
@pytest.mark.sampled
def test_a_text_that_is_made_to_be_slow_is_not(run: str, around: str) -> None:
    started = time.process_time()
    for _ in suspects("boot.sh", around + run * (1024 * 1024 // len(run))):
        if time.process_time() - started > MOST_S:
            break
    assert time.process_time() - started < MOST_S


REPOSITORY = Path(__file__).resolve().parents[3]
SPECS = sorted([*(REPOSITORY / "specs").rglob("*"), *(REPOSITORY / "tests/unit/spec/broken").glob("*.yaml")])


@pytest.mark.parametrize("path", [path for path in SPECS if path.is_file()], ids=lambda path: path.name)
def test_the_specs_of_the_repository_raise_no_alarm(path: Path) -> None:
    assert list(suspects(path.name, path.read_text(encoding="utf-8", errors="replace"))) == []


def test_a_spec_and_the_files_that_it_names_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "boot.sh").write_text("#!/bin/sh\nexport DB_PASSWORD=hunter2abc\n")
    content = {
        "environment": "env",
        "region": "us-east-1",
        "tags": {"DbPassword": "s3cr3t-value"},
        "fleets": {
            "web": {
                "count": 1,
                "image": "ami-00000000000000001",
                "instance_type": "t3.micro",
                "user_data": {"file": "boot.sh"},
            }
        },
    }
    path = tmp_path / "spec.yaml"
    path.write_text(json.dumps(content, indent=1))
    found = load(str(path), KINDS).suspects
    assert [(Path(suspect.file).name, suspect.line, suspect.column) for suspect in found] == [
        ("spec.yaml", 5, 18),
        ("boot.sh", 2, 20),
    ]


def test_a_plan_warns_and_a_plan_to_destroy_does_not() -> None:
    desired = environment(tags={"DbPassword": "s3cr3t-value"})
    (note,) = planned(desired, {}).notes
    assert note.is_warning
    assert str(note.address).startswith("spec/spec.yaml:")
    assert note.message.startswith("this looks like a password; ")
    assert planned(desired, {}, destroying=True).notes == ()
