"""The text of plans and outcomes: whole, as people see it, and what must hold for any of them."""

import dataclasses

import pytest
from rich.console import Console
from rich.text import Text

from provisioner.model import (
    Action,
    Address,
    Call,
    Change,
    Failure,
    FieldChange,
    Outcome,
    Plan,
    Refusal,
    Result,
    Rollout,
    UserData,
)
from provisioner.render.as_json import plan_data
from provisioner.render.as_outcomes import outcomes_text, told
from provisioner.render.as_text import plan_text
from provisioner.render.layout import cells
from provisioner.render.progress import doing
from tests.unit.render import render_examples as examples

WIDTH = 100

FIFTY = """\
Plan for outages-dev  account 123456789012, us-east-1  LOCAL    + create  ! grants wide rights

+ role/collector              will be created
    description: Downloads outage files and stores them in S3
    managed_policies: ! AmazonS3FullAccess, ! AmazonEC2FullAccess · max_session_duration: 3600
    trust: Allow sts:AssumeRole for ec2.amazonaws.com
    inline_policies.write-outages:
      Store: Allow s3:PutObject, s3:GetObject on arn:aws:s3:::outages/*
      Allow s3:ListBucket on arn:aws:s3:::outages
+ instance_profile/collector  will be created
    role: outages-dev-collector
+ fleet/collector             launch 50 (0 of 50 running)
    count: 0 → 50 · instance_type: t3.micro, t3a.micro
    image: ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    instance_profile: outages-dev-collector · spread: 16 each in us-east-1a, b; 18 in c
    user_data: worker.sh, 19 bytes, sha256 9a0364b9e99b · tags: team=data, stage=dev
    defaults: metadata.http_tokens required · monitoring false

Plan: 52 to create (50 instances, 1 role, 1 instance profile), 0 to update, 0 to replace,
      0 to delete. 9 API calls that write.
"""

DRIFTED = """\
Plan for outages-dev  account 123456789012, us-east-1
+ create  ~ update  ± replace (terminate, launch anew)  - delete  ! grants wide rights

~ role/collector   description, managed policies, trust differ
    description             by hand → Downloads outage files and stores them in S3
    trust                   ~ Allow sts:AssumeRole: Principal  - lambda.amazonaws.com
    managed_policies        - arn:aws:iam::123456789012:policy/team/OutageWriter
                            + ! AmazonS3FullAccess
    permissions_boundary    - AmazonS3FullAccess
    inline_policies.write-outages
                            ~ Store: Allow on arn:aws:s3:::outages/*: Action  - s3:deleteobject
                              + s3:PutObject
                            + Allow s3:ListBucket on arn:aws:s3:::outages
    inline_policies.by-hand
                            - Allow * on *
~ fleet/collector  tags differ on 50 members
    tags.team   data → ops
    tags.owner  + jane
    50 instances: web-[01-06, 08-50]  1 without a Name  (--ids lists them)
+ fleet/collector  launch 2 (48 of 50 running)
    count: 48 → 50
± fleet/web        the image differs on 3 members
    image  ami-0123456789abcdef0 → ami-0fedcba9876543210
    i-00000000000000064  i-00000000000000065  i-00000000000000066
    deferred: replacing members is not done yet; terminate them to have them launched anew
- fleet/old        left the spec
    i-000000000000000c8  i-000000000000000c9  i-000000000000000ca  i-000000000000000cb
    i-000000000000000cc  i-000000000000000cd  i-000000000000000ce

note fleet/web: 2 members are stopped; they count, and are left as they are

! DESTROYS 7 instances.
Plan: 2 to create (2 instances), 51 to update (50 instances, 1 role), 3 to replace (3 instances),
      7 to delete (7 instances). 3 of them deferred. 4 API calls that write.
"""

REFUSED = """\
Plan for outages-dev  account 123456789012, us-east-1    + create  ! grants wide rights

+ role/collector  will be created
    description: Downloads outage files and stores them in S3
    managed_policies: ! AmazonS3FullAccess, ! AmazonEC2FullAccess · max_session_duration: 3600
    trust: Allow sts:AssumeRole for ec2.amazonaws.com
    inline_policies.write-outages:
      Store: Allow s3:PutObject, s3:GetObject on arn:aws:s3:::outages/*
      Allow s3:ListBucket on arn:aws:s3:::outages

REFUSED role/collector: a role named outages-dev-collector exists under /, and is not this
    environment's
    give the role another name with `name:`, or delete the other one

Refused: nothing of this plan will be carried out.
"""

DESTROYED = """\
Plan to destroy outages-dev  account 123456789012, us-east-1    - delete

- fleet/collector             terminate 50
    i-00000000000000000  i-00000000000000001  i-00000000000000002  i-00000000000000003
    i-00000000000000004  i-00000000000000005  i-00000000000000006  i-00000000000000007
    i-00000000000000008  i-00000000000000009  i-0000000000000000a  i-0000000000000000b
    i-0000000000000000c  i-0000000000000000d  i-0000000000000000e  i-0000000000000000f
    i-00000000000000010  i-00000000000000011  i-00000000000000012  i-00000000000000013
    i-00000000000000014  i-00000000000000015  i-00000000000000016  i-00000000000000017
    i-00000000000000018  i-00000000000000019  i-0000000000000001a  i-0000000000000001b
    i-0000000000000001c  i-0000000000000001d  i-0000000000000001e  i-0000000000000001f
    i-00000000000000020  i-00000000000000021  i-00000000000000022  i-00000000000000023
    i-00000000000000024  i-00000000000000025  i-00000000000000026  i-00000000000000027
    i-00000000000000028  i-00000000000000029  i-0000000000000002a  i-0000000000000002b
    i-0000000000000002c  i-0000000000000002d  i-0000000000000002e  i-0000000000000002f
    i-00000000000000030  i-00000000000000031
- instance_profile/collector  no longer wanted
- role/collector              no longer wanted

! DESTROYS 50 instances, 1 instance profile, 1 role.
Plan: 0 to create, 0 to update, 0 to replace, 52 to delete (50 instances, 1 instance profile,
      1 role). 3 API calls that write.
"""

OUTCOMES = """\
done     + role/collector              created (1.2 s)
failed   + instance_profile/collector  iam AddRoleToInstanceProfile: AccessDenied
           not authorized to perform: iam:PassRole on resource: outages-dev-collector
           allow iam:PassRole on arn:aws:iam::123456789012:role/provisioner/outages-dev/*
           request 8a3f1c2e-52d6-4c8e-9d7e-0a1b2c3d4e5f
stopped  + fleet/collector             1 of 2 launched; apply again to go on
skipped  + fleet/collector             instance_profile/collector was not done
deferred ± fleet/web                   replacing members is not done yet; terminate them to have
                                       them launched anew

Not finished after 1 min 23 s. outages-dev: 1 done, 1 failed, 1 stopped, 1 skipped, 1 left as it
  was.
"""


GOLDEN = {
    "fifty": (plan_text(examples.fifty_servers(), WIDTH, local=True), FIFTY),
    "drifted": (plan_text(examples.drifted(), WIDTH), DRIFTED),
    "refused": (plan_text(examples.refused(), WIDTH), REFUSED),
    "destroyed": (plan_text(examples.destroyed(), WIDTH), DESTROYED),
    "outcomes": (outcomes_text("outages-dev", examples.mixed_outcomes(), 83.2, WIDTH), OUTCOMES),
}

PLANS = {
    "fifty": examples.fifty_servers(),
    "drifted": examples.drifted(),
    "refused": examples.refused(),
    "destroyed": examples.destroyed(),
    "nothing": examples.plan(),
}


@pytest.mark.parametrize(("text", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_as_people_see_it(text: Text, expected: str) -> None:
    plan, _, digest = text.plain.partition("\nDigest: ")
    assert plan + "\n" == expected
    assert digest.isalnum() or not digest


def test_the_digest_is_told_where_there_is_something_to_approve() -> None:
    digest = plan_data(examples.drifted())["digest"]
    assert plan_text(examples.drifted(), WIDTH).plain.splitlines()[-1] == f"Digest: {digest}"
    assert "Digest" not in plan_text(examples.plan(), WIDTH).plain
    assert "Digest" not in plan_text(examples.refused(), WIDTH).plain


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_too_wide_or_ends_in_space(plan: Plan, width: int) -> None:
    for line in plan_text(plan, width, local=True).plain.split("\n"):
        # What is there to be pasted is not broken.
        assert cells(line) <= width or line.startswith("Digest: ")
        assert line == line.rstrip()


def test_nothing_to_do() -> None:
    last = "No changes. outages-dev is as the spec says."
    assert plan_text(examples.plan(), WIDTH).plain.splitlines()[-1] == last
    noted = examples.plan(notes=examples.drifted().notes)
    assert plan_text(noted, WIDTH).plain.splitlines()[2:] == [
        "note fleet/web: 2 members are stopped; they count, and are left as they are",
        "",
        last,
    ]
    destroyed = plan_text(examples.plan(destroy=True), WIDTH).plain.splitlines()
    assert destroyed[-1] == "Nothing to destroy. Nothing of outages-dev is there."
    assert outcomes_text("outages-dev", [], 0.1).plain == "There was nothing to do in outages-dev."


def test_a_refusal_alone_is_not_called_no_changes() -> None:
    refused = examples.plan(refusals=(Refusal(examples.ROLE, "taken", "rename it"),))
    assert plan_text(refused, WIDTH).plain.splitlines()[2:] == [
        "REFUSED role/collector: taken",
        "    rename it",
        "",
        "Refused: nothing of this plan will be carried out.",
    ]


# --- one screen


@pytest.mark.parametrize(("width", "height"), [(80, 26), (100, 23)])
def test_fifty_servers_fit_on_a_screen(width: int, height: int) -> None:
    assert len(plan_text(examples.fifty_servers(), width).plain.splitlines()) <= height


def test_a_thousand_instances_take_no_more_room_than_fifty() -> None:
    names = {instance_id: f"web-{number:04d}" for number, instance_id in enumerate(examples.ids(1000), 1)}
    few = examples.drifted().changes[1]
    many = dataclasses.replace(few, instances=examples.ids(1000), size=1000, names=names)
    thousand = plan_text(examples.plan(examples.new_fleet(1000), many), WIDTH).plain
    fifty = plan_text(examples.plan(examples.new_fleet(50), few), WIDTH).plain
    assert len(thousand.splitlines()) == len(fifty.splitlines())
    assert "    1,000 instances: web-[0001-1000]  (--ids lists them)" in thousand.splitlines()
    assert "1,000 to create (1,000 instances)" in thousand


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["web"] * 5, ": web"),
        (["web-1", "web-2", "web-3", "web-5", "web-9"], ": web-[1-3, 5, 9]"),
        (["web-09", "web-10", "db-1.example", "db-2.example", "x"], ": web-[09-10]  db-[1-2].example  x"),
        (["web-1", "web-3"], ": web-[1, 3]  3 without a Name"),
        (["a\n1", "a\n2", "b", "c", "d"], ": a\\n[1-2]  b  c  d"),
        (list("abcdefg"), ": a  b  c  d  e  and 2 other names"),
    ],
)
def test_members_that_stay_are_told_by_number_and_pattern(names: list[str], expected: str) -> None:
    ids = examples.ids(max(5, len(names)))
    change = Change(
        examples.FLEET, Action.UPDATE, "why", instances=ids, names=dict(zip(ids, names, strict=False))
    )
    told = plan_text(examples.plan(change), WIDTH).plain.splitlines()[-4]
    assert " ".join(told.split()) == " ".join(f"{len(ids)} instances{expected} (--ids lists them)".split())
    in_full = plan_text(examples.plan(change), WIDTH, ids=True).plain
    assert all(instance_id in in_full for instance_id in ids)


def test_nobody_looks_up_the_ids_of_a_few() -> None:
    change = dataclasses.replace(examples.drifted().changes[1], instances=examples.ids(4), size=4)
    text = plan_text(examples.plan(change), WIDTH).plain
    assert "--ids" not in text
    assert all(instance_id in text for instance_id in examples.ids(4))


# --- what is destroyed cannot be overlooked


WAVES = {
    "none": None,
    "of one": Rollout("launch_first", tuple((instance_id,) for instance_id in examples.ids(300)), 299, 300),
    "of ten": Rollout(
        "terminate_first", tuple(examples.ids(10, start) for start in range(0, 300, 10)), 290, 300
    ),
}


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("rollout", WAVES.values(), ids=WAVES)
@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
def test_every_instance_that_will_be_gone_is_named(
    action: Action, rollout: Rollout | None, width: int
) -> None:
    change = Change(
        examples.FLEET,
        action,
        "why",
        instances=examples.ids(300),
        size=300,
        unit="instance",
        rollout=rollout,
    )
    text = plan_text(examples.plan(change), width)
    assert all(instance_id in text.plain for instance_id in change.instances)
    assert "! DESTROYS 300 instances." in text.plain.splitlines()


def test_what_is_destroyed_stands_in_columns() -> None:
    ids = examples.ids(5)
    names = {ids[0]: "a", ids[1]: "a-longer-name", ids[4]: "b"}
    change = Change(examples.FLEET, Action.DELETE, "why", instances=ids, names=names)
    assert plan_text(examples.plan(change), 80).plain.splitlines()[3:6] == [
        "    i-00000000000000000 (a)              i-00000000000000001 (a-longer-name)",
        "    i-00000000000000002                  i-00000000000000003",
        "    i-00000000000000004 (b)",
    ]


def test_nothing_is_destroyed_by_what_is_deferred() -> None:
    change = Change(
        examples.FLEET,
        Action.REPLACE,
        "why",
        instances=examples.ids(300),
        size=300,
        unit="instance",
        deferred="not now",
    )
    text = plan_text(examples.plan(change), 80).plain
    assert "DESTROYS" not in text
    assert "deferred: not now" in text
    assert "300 of them deferred." in text


def test_colours_are_those_of_the_actions() -> None:
    text = plan_text(examples.drifted(), WIDTH)

    def style_of(part: str) -> str:
        start = text.plain.index(part)
        return str(next(span.style for span in text.spans if span.start <= start < span.end))

    assert "yellow" in style_of("~ role/collector")
    assert "green" in style_of("+ fleet/collector")
    assert "magenta" in style_of("± fleet/web")
    assert "red" in style_of("- fleet/old")
    assert "red" in style_of("i-000000000000000cb")
    assert "red" in style_of("! DESTROYS")
    assert "green" in style_of("2 to create")


def test_a_terminal_without_colour_gets_the_plain_text() -> None:
    text = plan_text(examples.drifted(), 80)
    console = Console(width=80, no_color=True, force_terminal=False)
    with console.capture() as captured:
        console.print(text, soft_wrap=True)
    assert captured.get() == text.plain + "\n"


# --- fields


def updated(*fields: FieldChange, width: int = 80) -> list[str]:
    change = Change(Address("role", "x"), Action.UPDATE, "why", fields=fields)
    return plan_text(examples.plan(change), width).plain.split("\n\n")[1].splitlines()[1:]


def created(*fields: FieldChange, width: int = 80) -> list[str]:
    change = Change(Address("role", "x"), Action.CREATE, "why", fields=fields)
    return plan_text(examples.plan(change), width).plain.split("\n\n")[1].splitlines()[1:]


def test_mappings_are_told_key_by_key() -> None:
    assert updated(
        FieldChange("metadata", {"http_tokens": "optional", "hops": 1}, {"http_tokens": "required"})
    ) == [
        "    metadata.http_tokens  optional → required",
        "    metadata.hops         - 1",
    ]


def test_lists_tell_what_came_and_went() -> None:
    assert updated(FieldChange("security_groups", ("sg-1", "sg-2"), ("sg-2", "sg-3"))) == [
        "    security_groups  - sg-1  + sg-3"
    ]
    assert updated(FieldChange("security_groups", ("sg-1", "sg-2"), ("sg-2", "sg-1"))) == [
        "    security_groups  sg-1, sg-2 → sg-2, sg-1"
    ]


def test_long_values_go_on_below_and_are_never_cut() -> None:
    common = "word " * 12
    assert updated(FieldChange("description", common + "old", common + "new"), width=60) == [
        "    description  - word word word word word word word word",
        "                   word word word word old",
        "                 + word word word word word word word word",
        "                   word word word word new",
    ]
    assert created(FieldChange("description", None, "x" * 70), width=60) == [
        "    description:",
        "      " + "x" * 54,
        "      " + "x" * 16,
    ]


def test_values_of_all_types() -> None:
    assert updated(FieldChange("monitoring", False, True), FieldChange("tags.a", "x", "")) == [
        "    monitoring  false → true",
        '    tags.a      x → ""',
    ]


def test_a_name_too_long_for_the_column_has_its_own_line() -> None:
    assert updated(
        FieldChange("tags.a-name-that-takes-some-room", "a", "b"), FieldChange("tags.b", "a", "b")
    ) == [
        "    tags.a-name-that-takes-some-room",
        "                            a → b",
        "    tags.b                  a → b",
    ]


def test_all_of_a_list_is_told() -> None:
    groups = tuple(f"sg-{number}" for number in range(20))
    assert created(FieldChange("security_groups", None, groups), width=60) == [
        "    security_groups: sg-0, sg-1, sg-2, sg-3, sg-4, sg-5,",
        "      sg-6, sg-7, sg-8, sg-9, sg-10, sg-11, sg-12, sg-13,",
        "      sg-14, sg-15, sg-16, sg-17, sg-18, sg-19",
    ]


def test_a_value_cannot_look_like_several() -> None:
    assert created(
        FieldChange("tags", None, {"team": "data, owner=root", "a=b": "c"}),
        FieldChange("description", None, "x · key_name: me"),
        FieldChange("security_groups", None, ("a, b", "c")),
        FieldChange("key_name", None, "a  b"),
    ) == [
        '    tags: team="data, owner=root", "a=b"=c · description: "x · key_name: me"',
        '    security_groups: "a, b", c · key_name: "a  b"',
    ]


def test_defaults_are_folded() -> None:
    assert created(
        FieldChange("monitoring", None, True),
        FieldChange("metadata.hop_limit", None, 1, is_default=True),
        FieldChange("market", None, "on_demand", is_default=True),
    ) == ["    monitoring: true · defaults: metadata.hop_limit 1 · market on_demand"]


def test_a_long_policy_of_something_new_is_told_whole() -> None:
    policies = [
        {
            "Effect": "Allow",
            "Action": [*(f"s3:Get{number}" for number in range(9)), "iam:PassRole"],
            "Resource": [f"arn:aws:s3:::{one}", "*"],
        }
        for one in range(9)
    ]
    lines = created(FieldChange("inline_policies.a", None, {"Statement": policies}), width=60)
    told = " ".join(" ".join(lines).split())
    for one in range(9):
        gets = ", ".join(f"s3:Get{number}" for number in range(9))
        assert f"! Allow {gets}, iam:PassRole on arn:aws:s3:::{one}, *" in told
    assert "more" not in told


@pytest.mark.parametrize("width", [40, 80, 200])
def test_wide_rights_are_marked(width: int) -> None:
    managed = tuple(
        f"arn:aws:iam::aws:policy/{name}"
        for name in ("AmazonSSMManagedInstanceCore", "AdministratorAccess", "AmazonS3ReadOnlyAccess")
    )
    anybody = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    fields = (FieldChange("managed_policies", None, managed), FieldChange("trust", None, anybody))
    for lines in (created(*fields, width=width), updated(*fields, width=width)):
        told = " ".join(" ".join(lines).split())
        assert "! AdministratorAccess" in told
        assert "! Allow sts:AssumeRole for everybody (*)" in told
        assert told.count("!") == 2
    change = Change(Address("role", "x"), Action.CREATE, "why", fields=fields)
    assert "! grants wide rights" in plan_text(examples.plan(change), width).plain
    gone = tuple(FieldChange(field.path, field.after, None) for field in fields)
    assert "!" not in "".join(updated(*gone, width=width))


# --- user data

BEFORE = UserData("0" * 64, "worker.sh", 26, "#!/bin/sh\nset -eu\nexec true")
AFTER = UserData("1" * 64, "worker.sh", 35, "#!/bin/sh\nset -eux \nexec true\n\techo\x1b[2J\n")


def test_user_data_is_told_by_name_size_and_digest() -> None:
    assert created(FieldChange("user_data", None, AFTER)) == [
        "    user_data: worker.sh, 35 bytes, sha256 111111111111"
    ]
    known = UserData("000000000000")
    assert updated(FieldChange("user_data", known, AFTER), width=100) == [
        "    user_data  sha256 000000000000 → worker.sh, 35 bytes, sha256 111111111111"
    ]


def test_user_data_is_shown_as_a_unified_diff_when_asked() -> None:
    change = Change(examples.FLEET, Action.REPLACE, "why", (FieldChange("user_data", BEFORE, AFTER),))
    text = plan_text(examples.plan(change), WIDTH, user_data=True).plain
    assert text.splitlines()[3:11] == [
        "    user_data  worker.sh, 26 bytes, sha256 000000000000 → worker.sh, 35 bytes, sha256 111111111111",
        "      @@ -1,4 +1,4 @@",
        "        #!/bin/sh",
        "      - set -eu",
        "      + set -eux\\u0020",
        "        exec true",
        "      - \\ No newline at end of file",
        "      + \\techo\\u001b[2J",
    ]


def test_user_data_of_which_one_side_is_not_at_hand_is_shown_whole() -> None:
    change = Change(
        examples.FLEET, Action.REPLACE, "why", (FieldChange("user_data", UserData("0" * 12), BEFORE),)
    )
    text = plan_text(examples.plan(change), WIDTH, user_data=True).plain
    assert text.splitlines()[4:7] == [
        "        #!/bin/sh",
        "        set -eu",
        "        exec true",
    ]


def test_a_secret_in_user_data_is_not_shown_when_asked_either() -> None:
    script = UserData("0" * 64, None, 60, "curl https://me:hunter22@example.com\n")
    change = Change(examples.FLEET, Action.CREATE, "why", (FieldChange("user_data", None, script),))
    assert "https://***@example.com" in plan_text(examples.plan(change), WIDTH, user_data=True).plain


def test_a_policy_that_goes_is_told_whole() -> None:
    actions = [f"s3:Get{number}" for number in range(40)]
    lines = updated(
        FieldChange("trust", {"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}, None)
    )
    assert all(action in " ".join(lines) for action in actions)
    assert lines[0].startswith("    trust  - Allow s3:Get0")


def test_other_peoples_control_characters_do_not_reach_the_terminal() -> None:
    change = Change(
        Address("role", "x"), Action.UPDATE, "why\x1b[2J", fields=(FieldChange("tags.a", "\x1b[31m", "\a\n"),)
    )
    text = plan_text(examples.plan(change), 80).plain
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\\u001b[31m → \\u0007\\n" in text


@pytest.mark.parametrize(("calls", "words"), [(1, "1 API call that writes."), (2, "2 API calls that write.")])
def test_calls_that_write_are_counted_in_grammar(calls: int, words: str) -> None:
    steps = tuple(Call("iam", "CreateRole") for _ in range(calls))
    change = dataclasses.replace(examples.new_profile(), steps=steps)
    assert words in plan_text(examples.plan(change), 100).plain


# --- outcomes


def test_what_took_no_time_says_nothing_of_it() -> None:
    outcomes = [Outcome(examples.new_profile(), Result.DONE, seconds=0.02)]
    assert outcomes_text("outages-dev", outcomes, 0.02, 80).plain.splitlines() == [
        "done     + instance_profile/collector  created",
        "",
        "Done in under 0.1 s. outages-dev: 1 done.",
    ]


def test_what_is_told_already_is_counted_and_not_told_again() -> None:
    outcomes = examples.mixed_outcomes()
    text = outcomes_text("outages-dev", outcomes, 3, 80, {told(outcomes[0])}).plain
    assert "role/collector" not in text
    assert "1 done, 1 failed" in text


def test_several_changes_of_one_thing_are_one_thing_and_its_parts_are_named() -> None:
    group = Address("security_group", "db")
    made = Change(group, Action.CREATE, "will be created")
    rules = Change(group, Action.CREATE, "rules that name other new groups", unit="rule")
    outcomes = [Outcome(change, Result.DONE) for change in (made, rules)]
    lines = outcomes_text("net", outcomes, 1, 80).plain.splitlines()
    assert [line.split("  ")[-1] for line in lines[:2]] == ["created", "created: 1 rule"]
    assert lines[-1] == "Done in 1.0 s. net: 1 done."
    assert doing(rules) == "creating 1 rule"


def test_all_done() -> None:
    changes = examples.fifty_servers().changes
    outcomes = [Outcome(change, Result.DONE, seconds=12.3) for change in changes]
    assert outcomes_text("outages-dev", outcomes, 41, 80).plain.splitlines()[2:] == [
        "done     + fleet/collector             created: 50 instances (12 s)",
        "",
        "Done in 41 s. outages-dev: 3 done.",
    ]


def test_a_failure_that_is_not_from_aws() -> None:
    failed = Outcome(examples.new_profile(), Result.FAILED, failure=Failure("3 of 50 did not start in time"))
    assert outcomes_text("outages-dev", [failed], 5, 100).plain.splitlines()[0] == (
        "failed   + instance_profile/collector  3 of 50 did not start in time"
    )


@pytest.mark.parametrize(("of_others", "shown"), [(True, 9), (False, 0)])
def test_instances_of_others_are_told_all(of_others: bool, shown: int) -> None:
    ids = tuple(f"i-{number:017d}" for number in range(9))
    change = Change(
        Address("attachment", "box"), Action.UPDATE, "another profile", instances=ids, exact=of_others
    )
    assert sum(instance_id in plan_text(examples.plan(change), 80).plain for instance_id in ids) == shown
