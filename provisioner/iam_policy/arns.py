"""ARNs and principals in a policy: what IAM refuses when the policy is sent.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from provisioner.naming import partition_of

PARTS = "arn:partition:service:region:account:resource"
_SIX = 6
_ACCOUNT_DIGITS = 12

_VARIABLE = re.compile(r"\$\{[^}]*\}")
_PARTITION = re.compile(r"aws(-[a-z0-9]+)*")
_SERVICE_PRINCIPAL = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+){2,}")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(/[!-~]*)?")
_ONLY_SUFFIXES = ("amazonaws.com", "amazonaws.com.cn")
# What looks like a misspelt one, and is none.
_OTHER_SUFFIXES = ("amazon.com", "amazonaws.eu")
# What GetRole shows in place of a user or a role that was deleted.
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,127}")
_NAME = r"[\w+=,.@-]+"
_PATHS = rf"(?:[!-)+->@-~]+/)*{_NAME}"
_NAMES = {"iam": "IAM", "route53": "Route 53", "s3": "a bucket"}
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
_OF_IAM = (
    "root|user|role|group|policy|instance-profile|saml-provider|oidc-provider|mfa|sms-mfa|server-certificate|"
    "access-report|report|assumed-role|federated-user"
)
_PROVIDER = re.compile(r"(saml|oidc)-provider/[!-~]+")
# Resources of a principal, by service.
_ACTING = {
    "iam": re.compile(rf"root|(user|role)/{_PATHS}", re.ASCII),
    "sts": re.compile(rf"assumed-role/{_NAME}/{_NAME}|federated-user/{_NAME}", re.ASCII),
}


def resource_problem(resource: str, region: str = "") -> str | None:
    """What IAM will not take as a Resource in a policy used in `region` (empty: not known); None: it will.

    An ARN that is cut short after a wildcard, such as arn:aws:logs:*, stands for all that may follow; some of
    AWS's own policies end with the account.
    """
    if resource == "*":
        return None
    parts = _VARIABLE.sub("x", resource).split(":", _SIX - 1)
    if parts[0] != "arn" or len(parts) <= 2:
        return f'must be an ARN or "*", found "{resource}"'
    if message := partition_problem(resource, region):
        return message
    service, _, account, what = (*parts[2:], "", "", "")[:4]
    if not service or re.search(r"[*?]", service):
        return f'"{resource}" has to name a service after the partition; IAM takes no wildcard there'
    if len(parts) < _SIX and not (parts[-1] == "*" and "" not in parts):
        return f'"{resource}" has {len(parts)} parts; an ARN has {_SIX}: {PARTS}{_meant_bucket(parts)}'
    if account.isdigit() and len(account) != _ACCOUNT_DIGITS:
        return f'"{resource}" has an account id of {len(account)} digits; one has {_ACCOUNT_DIGITS}'
    if len(parts) < _SIX:
        return None
    return _place_problem(resource, parts) or (_iam_problem(resource, what) if service == "iam" else None)


def _place_problem(resource: str, parts: list[str]) -> str | None:
    """What is wrong with the region and the account of an ARN whose service has none of them."""
    _, partition, service, region, account, what = parts
    region, account = ("" if re.fullmatch(r"[*?]*", part) else part for part in (region, account))
    # Access points and the like are in a region; a bucket and what is in it are not.
    is_bucket = service == "s3" and ("/" not in what or not parts[4])
    if region and (service in ("iam", "route53") or is_bucket):
        meant = f"arn:{partition}:{service}::{'' if service != 'iam' else parts[4]}:{what}"
        return f'"{resource}" names a region, and {_NAMES[service]} has none there; write {meant}'
    if account and (service == "route53" or is_bucket):
        meant = f"arn:{partition}:{service}:::{what}"
        return f'"{resource}" names an account, and {_NAMES[service]} has none there; write {meant}'
    return None


def ec2_principal(region: str) -> str:
    """EC2 as a principal of a trust policy: in China it has a name of its own.

    https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html
    """
    return "ec2.amazonaws.com.cn" if partition_of(region) == "aws-cn" else "ec2.amazonaws.com"


def _iam_problem(resource: str, what: str) -> str | None:
    """What is wrong with the kind of a thing of IAM, if it is evident which was meant."""
    kind, slash, name = what.partition("/")
    kinds = _OF_IAM.split("|")
    if re.search(r"[*?]", kind) or (kind in kinds and (slash or kind == "root")):
        return None
    near = get_close_matches(kind, kinds, n=1, cutoff=0.8)
    if near:
        meant = f"{near[0]}/{name or '*'}"
        return f'"{resource}" names nothing of IAM after the account; did you mean {meant}?'
    return None if slash else f'"{resource}" does not say what it is of; write role/{what}, or whatever it is'


def partition_problem(arn: str, region: str = "") -> str | None:
    """What is wrong with the partition of an ARN that is used in `region`; None: nothing.

    IAM knows one partition only, that of its account. Partitions are too new to be known now and then; then
    whatever looks like one is taken.
    """
    written = arn.split(":", 2)[1]
    own = partition_of(region)
    if written == "*" or written == own:
        return None
    if own and _PARTITION.fullmatch(written):
        return f'"{arn}" is of the partition {written}, and {region} is of {own}; write arn:{own}:'
    if not _PARTITION.fullmatch(written):
        return f'"{arn}" names no partition of AWS: "{written}"; write arn:{own or "aws"}:'
    return None


def principal_problem(kind: str, principal: str, region: str = "") -> str | None:
    """What IAM will not take as a principal of a trust policy; None: it will, if the principal exists.

    `kind` is AWS, Service, Federated or CanonicalUser.
    """
    if not principal:
        return "must not be empty"
    if kind == "AWS":
        return _identity_problem(principal, region)
    if kind == "Service":
        return _service_problem(principal)
    return _federated_problem(principal, region) if kind == "Federated" else None


def _service_problem(principal: str) -> str | None:
    if _SERVICE_PRINCIPAL.fullmatch(principal) and principal not in _ONLY_SUFFIXES:
        written, suffix = _suffixes(principal)
        known = (suffix, *_OTHER_SUFFIXES)
        if written in known or not get_close_matches(written, (suffix,), n=1, cutoff=0.8):
            return None
        meant = f"{principal.removesuffix(written)}{suffix}"
        return f'"{principal}" is no service principal; did you mean "{meant}"?'
    meant = f'; did you mean "{principal}.amazonaws.com"?' if re.fullmatch(r"[a-z0-9-]+", principal) else ""
    return f'"{principal}" is no service principal, which is such as ec2.amazonaws.com{meant}'


def _suffixes(principal: str) -> tuple[str, str]:
    """The ending of a service principal, and what it would be if it were one of AWS's usual ones."""
    suffix = _ONLY_SUFFIXES[principal.endswith(".cn")]
    return ".".join(principal.split(".")[-1 - suffix.count(".") :]), suffix


def _federated_problem(principal: str, region: str) -> str | None:
    if _HOST.fullmatch(principal):
        return None
    parts = principal.split(":", _SIX - 1)
    if parts[0] == "arn" and len(parts) == _SIX:
        if message := partition_problem(principal, region):
            return message
        if parts[2:4] == ["iam", ""] and _is_account(parts[4]) and _PROVIDER.fullmatch(parts[5]):
            return None
    return (
        f'"{principal}" is no identity provider; write its ARN, such as '
        "arn:aws:iam::123456789012:oidc-provider/example.com, or a name such as accounts.google.com"
    )


def _identity_problem(principal: str, region: str) -> str | None:
    if principal == "*" or _is_account(principal) or _UNIQUE_ID.fullmatch(principal):
        return None
    digits = principal.replace("-", "")
    if digits.isdigit():
        if len(digits) == _ACCOUNT_DIGITS:
            return f'"{principal}" is an account id with hyphens; write "{digits}"'
        return f'"{principal}" has {len(digits)} digits; an account id has {_ACCOUNT_DIGITS}'
    if not principal.startswith("arn:"):
        if _SERVICE_PRINCIPAL.fullmatch(principal):
            return f'"{principal}" is a service; write Service: {principal}'
        return _no_identity(principal)
    return _arn_problem(principal, region)


def _arn_problem(principal: str, region: str) -> str | None:
    parts = principal.split(":", _SIX - 1)
    if len(parts) < _SIX:
        return f'"{principal}" has {len(parts)} parts; an ARN has {_SIX}: {PARTS}'
    if message := partition_problem(principal, region):
        return message
    _, partition, service, where, account, what = parts
    if service in _ACTING and re.search(r"[*?]", account + what):
        return (
            f'"{principal}" has a wildcard, which IAM does not take in a principal; '
            "name the account, and narrow it by a Condition on aws:PrincipalArn"
        )
    if service not in _ACTING:
        return _no_identity(principal)
    if not _is_account(account):
        found = f"{len(account)} digits" if account.isdigit() else f'"{account}"'
        return f'"{principal}" has {found} for an account id, which has {_ACCOUNT_DIGITS} digits'
    if what.startswith("group/"):
        return f'"{principal}" is a group, which cannot be a principal; name its users, or a role'
    if _PROVIDER.fullmatch(what):
        return f'"{principal}" is an identity provider; write Federated: {principal}'
    if where:
        meant = f"arn:{partition}:{service}::{account}:{what}"
        return f'"{principal}" names a region, and principals have none; write {meant}'
    return None if _ACTING[service].fullmatch(what) else _no_identity(principal)


def _no_identity(principal: str) -> str:
    return (
        f'"{principal}" is no principal; write an account id, or the ARN of a user, a role or a session, '
        "such as arn:aws:iam::123456789012:role/name"
    )


def _is_account(text: str) -> bool:
    return re.fullmatch(r"[0-9]{12}", text) is not None


def _meant_bucket(parts: list[str]) -> str:
    """What was meant by an ARN of S3 that lacks colons, which is the one that people write without."""
    name = next((part for part in parts[3:] if part), "")
    return f"; did you mean arn:{parts[1]}:s3:::{name}?" if parts[2] == "s3" and name else ""
