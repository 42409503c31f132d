"""YAML reads some texts as something else. Whatever would not be sent as it is written is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import SpecError
from provisioner.kinds import KINDS
from provisioner.spec import load

CONDITION = """\
environment: test
region: us-east-1
roles:
  web:
    {}:
      Version: "2012-10-17"
      Statement:
        - {{Effect: Allow, {}, Condition: {{StringEquals: {{"aws:PrincipalTag/x": {}}}}}}}
"""
TRUST = ("trust", "Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole")
INLINE = ("inline_policies: {p", 'Action: "*", Resource: "*"')

# What is written, and what YAML 1.1 makes of it: https://yaml.org/type/
READ_AS = {
    **dict.fromkeys(("NO", "no", "No", "off", "Off", "OFF", "False", "FALSE"), "false"),
    **dict.fromkeys(("yes", "YES", "Yes", "on", "On", "ON", "True", "TRUE"), "true"),
    "1.10": "1.1",
    ".5": "0.5",
    "5.": "5.0",
    "1.0e+3": "1000.0",
    "1_0.5": "10.5",
    "0x10": "16",
    "010": "8",
    "0b11": "3",
    "1_000": "1000",
    "+5": "5",
    "-0": "0",
    "1:30": "90",
    "1:30.5": "90.5",
    "190:20:30": "685230",
    "!!float 1": "1.0",
    "!!int '010'": "8",
    "!!bool 'yes'": "true",
    "null": "null",
    "Null": "null",
    "~": "null",
    "!!null 'x'": "null",
    **dict.fromkeys(("2012-10-17", "2001-12-14t21:59:43.10-05:00"), "date"),
    **dict.fromkeys((".inf", "-.INF", ".nan", "99999999999999999999", "1.0e+400"), None),
}
# What is sent as it is written.
AS_WRITTEN = (
    "true",
    "false",
    "5",
    "-7",
    "123456789012",
    "1.5",
    "0",
    "1e3",
    "0o17",
    "y",
    "n",
    "Y",
    "none",
    "=",
    "NOT",
)
QUOTED = ("'NO'", '"1.10"', "'null'", "'2012-10-17'", "!!str NO")


def told(tmp_path: Path, text: str) -> str:
    """What is said of a spec; empty if it is fine."""
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    try:
        load(str(path), KINDS)
    except SpecError as error:
        return str(error).replace(str(path), "spec.yaml")
    return ""


def policy(where: tuple[str, str], value: str) -> str:
    if where is TRUST:
        return CONDITION.format(*where, value)
    return CONDITION.format("inline_policies", INLINE[1], value).replace(
        '\n      Version: "2012-10-17"\n      Statement:\n        -',
        '\n      p:\n        Version: "2012-10-17"\n        Statement:\n          -',
    )


@pytest.mark.parametrize("where", [TRUST, INLINE], ids=["trust", "inline"])
@pytest.mark.parametrize("value", READ_AS)
def test_in_a_policy(tmp_path: Path, where: tuple[str, str], value: str) -> None:
    answer = told(tmp_path, policy(where, value))
    assert answer.count("\n") == 0
    assert "aws:PrincipalTag/x" in answer
    read_as = READ_AS[value]
    text = value.split("'")[1] if "'" in value else value.split()[-1]
    if read_as == "null":
        assert f"{text} stands for nothing, which cannot be sent" in answer
    if read_as in ("true", "false"):
        assert f"{text} is read as {read_as}, and would not be sent as it is written" in answer
    if read_as and not value.startswith("!!"):
        assert f'write "{value}" for the text' in answer or "put a text in quotes" in answer


@pytest.mark.parametrize("where", [TRUST, INLINE], ids=["trust", "inline"])
@pytest.mark.parametrize("value", [*AS_WRITTEN, *QUOTED])
def test_what_is_sent_as_it_is_written(tmp_path: Path, where: tuple[str, str], value: str) -> None:
    assert told(tmp_path, policy(where, value)) == ""


@pytest.mark.parametrize("element", ["Sid", "Effect", "Action", "Resource", "Version"])
def test_where_a_policy_takes_text_only_it_is_told_once(tmp_path: Path, element: str) -> None:
    fields = {"Sid": "a", "Effect": "Allow", "Action": "'*'", "Resource": "'*'"}
    version = "'2012-10-17'"
    if element == "Version":
        version = "NO"
    else:
        fields[element] = "NO"
    statement = ", ".join(f"{key}: {value}" for key, value in fields.items())
    answer = told(
        tmp_path,
        "environment: test\nregion: us-east-1\nroles:\n  web:\n    inline_policies:\n      p:\n"
        f"        Version: {version}\n        Statement: {{{statement}}}\n",
    )
    assert answer.count("\n") == 0
    assert f'{element}: NO is read as false, and would not be sent as it is written; write "NO"' in answer


FLEET = "fleets: {web: {count: 1, image: ami-01234567, instance_type: t3.micro, %s}}"
PROFILE = "roles: {web: {}}\ninstance_profiles: {web: {role: web%s}}\n"


@pytest.mark.parametrize(
    "spec",
    [
        "tags: {x: VALUE}",
        "ignore_tags: [VALUE]",
        "roles: {web: {description: VALUE}}",
        "roles: {web: {tags: {x: VALUE}}}",
        PROFILE % ", name: VALUE",
        FLEET % "name: VALUE",
        FLEET % "key_name: VALUE",
        FLEET % "tags: {x: VALUE}",
        FLEET % "user_data: VALUE",
        FLEET % "subnets: {tags: {x: VALUE}}",
        PROFILE % "" + "attachments: {web: {instance_profile: web, select: {tags: {x: VALUE}}}}",
    ],
)
def test_wherever_text_is_expected(tmp_path: Path, spec: str) -> None:
    for value in READ_AS:
        text = spec.replace("VALUE", value)
        answer = told(tmp_path, f"environment: test\nregion: us-east-1\n{text}\n")
        if value in ("~", "!!null 'x'"):
            assert "found nothing; give it a value" in answer
        elif ":" in value and "name" in spec:
            assert "found the number" in answer or "a date" in answer
        else:
            assert "; write " in answer or "in quotes" in answer, answer


@pytest.mark.parametrize("key", ["NO", "on", "1.10", "010", "null", "~", "2012-10-17", "1:30"])
def test_in_keys(tmp_path: Path, key: str) -> None:
    for spec in (f"tags: {{{key}: a}}", policy(TRUST, "a").replace('"aws:PrincipalTag/x"', key)):
        start = "" if "environment" in spec else "environment: test\nregion: us-east-1\n"
        assert "keys are texts, and YAML reads this one as" in told(tmp_path, f"{start}{spec}\n")
