"""IAM's rules."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest

from local_aws import Faults, LocalAws, advance, set_faults
from tests.integration.local_aws.helpers import POLICY, TRUST, make_profile, make_role, refused

S3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def trust(**statement: Any) -> str:
    base = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    kept = {key: value for key, value in {**base, **statement}.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def long_policy(characters: int) -> str:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    bare = len(json.dumps({**document, "Id": ""}, separators=(",", ":")))
    return json.dumps({**document, "Id": "x" * (characters - bare)}, indent=4)


@pytest.mark.correction("iam-managed-policies")
def test_the_policies_that_aws_manages_are_there(iam: Any) -> None:
    make_role(iam)
    iam.attach_role_policy(RoleName="worker", PolicyArn=S3)
    attached = iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"]
    assert [item["PolicyName"] for item in attached] == ["AmazonS3ReadOnlyAccess"]


@pytest.mark.correction("iam-name-length")
def test_a_role_has_a_name_of_64_characters_at_most(iam: Any) -> None:
    make_role(iam, "r" * 64)
    with refused("ValidationError"):
        make_role(iam, "r" * 65)


@pytest.mark.correction("iam-profile-name-length")
def test_a_profile_has_a_name_of_128_characters_at_most(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="p" * 128)
    with refused("ValidationError"):
        iam.create_instance_profile(InstanceProfileName="p" * 129)


@pytest.mark.correction("iam-name-characters")
@pytest.mark.parametrize("name", ["two words", "a/b", "a:b", "ä"])
def test_names_have_few_characters_to_choose_from(iam: Any, name: str) -> None:
    with refused("ValidationError"):
        make_role(iam, name)


@pytest.mark.correction("iam-path")
@pytest.mark.parametrize("path", ["nothing", "/open", "open/"])
def test_a_path_begins_and_ends_with_a_slash(iam: Any, path: str) -> None:
    with refused("ValidationError"):
        iam.create_instance_profile(InstanceProfileName="worker", Path=path)


@pytest.mark.correction("iam-case")
def test_role_names_clash_without_regard_to_case_and_path(iam: Any) -> None:
    make_role(iam, "Worker", Path="/a/")
    with refused("EntityAlreadyExists") as no:
        make_role(iam, "worker", Path="/b/")
    assert no.status == 409


@pytest.mark.correction("iam-profile-case")
def test_profile_names_clash_without_regard_to_case(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="Worker")
    with refused("EntityAlreadyExists"):
        iam.create_instance_profile(InstanceProfileName="worker")


@pytest.mark.correction("iam-trust-size")
def test_a_trust_policy_has_2048_characters_at_most_without_white_space(iam: Any) -> None:
    def sized(characters: int) -> str:
        bare = len(trust(Sid="").replace(" ", ""))
        return trust(Sid="x" * (characters - bare))

    iam.create_role(RoleName="fits", AssumeRolePolicyDocument=sized(2048))
    with refused("LimitExceeded") as no:
        iam.create_role(RoleName="large", AssumeRolePolicyDocument=sized(2049))
    assert (no.message, no.status) == ("Cannot exceed quota for ACLSizePerRole: 2048", 409)


@pytest.mark.correction("iam-inline-size")
def test_inline_policies_have_10240_characters_together(iam: Any) -> None:
    make_role(iam)
    iam.put_role_policy(RoleName="worker", PolicyName="a", PolicyDocument=long_policy(6000))
    iam.put_role_policy(RoleName="worker", PolicyName="b", PolicyDocument=long_policy(4240))
    with refused("LimitExceeded") as no:
        iam.put_role_policy(RoleName="worker", PolicyName="b", PolicyDocument=long_policy(4241))
    assert no.message == "Maximum policy size of 10240 bytes exceeded for role worker"


@pytest.mark.correction("iam-managed-size")
def test_a_managed_policy_has_6144_characters_at_most(iam: Any) -> None:
    iam.create_policy(PolicyName="fits", PolicyDocument=long_policy(6144))
    with refused("LimitExceeded"):
        iam.create_policy(PolicyName="large", PolicyDocument=long_policy(6145))


@pytest.mark.correction("iam-attachments")
def test_a_role_has_ten_managed_policies_at_most(iam: Any) -> None:
    make_role(iam)
    arns = [iam.create_policy(PolicyName=f"p{n}", PolicyDocument=POLICY)["Policy"]["Arn"] for n in range(11)]
    for arn in (*arns[:10], arns[0]):
        iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    with refused("LimitExceeded") as no:
        iam.attach_role_policy(RoleName="worker", PolicyArn=arns[10])
    assert no.message == "Cannot exceed quota for PoliciesPerRole: 10"


@pytest.mark.correction("iam-attach-twice")
def test_attaching_twice_counts_once(iam: Any) -> None:
    make_role(iam)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    for _ in range(2):
        iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1


@pytest.mark.correction("iam-trust-grammar")
@pytest.mark.parametrize(
    "document",
    [
        "not json",
        json.dumps({"Version": "2012-10-17"}),
        trust(Principal=None),
        trust(Principal=None, NotPrincipal={"AWS": "123456789012"}, Effect="Deny"),
        trust(Resource="*"),
        trust(Action="s3:GetObject"),
        trust(Effect="Maybe"),
    ],
)
def test_a_trust_policy_follows_the_grammar(iam: Any, document: str) -> None:
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=document)


@pytest.mark.correction("iam-trust-version")
def test_a_trust_policy_may_be_of_the_older_version(iam: Any) -> None:
    older = json.dumps({**json.loads(TRUST), "Version": "2008-10-17"})
    unsaid = json.dumps({"Statement": json.loads(TRUST)["Statement"]})
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=older)
    for document in (unsaid, older):
        iam.update_assume_role_policy(RoleName="worker", PolicyDocument=document)
        kept = iam.get_role(RoleName="worker")["Role"]["AssumeRolePolicyDocument"]
        assert kept == json.loads(document)
    newer = json.dumps({**json.loads(TRUST), "Version": "2030-01-01"})
    with refused("MalformedPolicyDocument"):
        iam.update_assume_role_policy(RoleName="worker", PolicyDocument=newer)


NUMBERS = {"NumericLessThan": {"aws:MultiFactorAuthAge": 3600}, "StringEquals": {"aws:a/b": ["1", 2.5]}}
DATES = {"DateLessThan": {"aws:CurrentTime": 1893456000}, "Bool": {"aws:SecureTransport": True}}


def allows(resource: Any = "*", action: Any = "s3:GetObject", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.correction("iam-taken")
@pytest.mark.parametrize(
    "statement",
    [
        allows(Condition=NUMBERS),
        allows(Condition=DATES),
        allows(action="IAM:passrole", resource="arn:aws:iam::*:root"),
        allows(resource=["arn:aws:iam::123456789012:*", "arn:*:iam::*:role/*"]),
        allows(resource="arn:aws:s3:*:123456789012:job/*"),
        allows(resource="arn:aws:s3:us-east-1:123456789012:storage-lens/x"),
    ],
)
def test_what_iam_takes_is_taken(iam: Any, statement: Any) -> None:
    make_role(iam)
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [allows(resource="arn:aws:iam::*:root"), statement]}
    )
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=document)
    read = iam.get_role_policy(RoleName="worker", PolicyName="p")["PolicyDocument"]
    assert read == json.loads(document), "kept as it was sent"
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(document)


@pytest.mark.correction("iam-not-taken")
@pytest.mark.parametrize(
    "statement",
    [
        allows(resource="arn:aws-cn:s3:::bucket"),
        allows(resource=["*", "arn:aws-us-gov:s3:::bucket/*"]),
        allows(Sid="not alphanumeric"),
    ],
)
def test_a_resource_of_another_partition_is_refused(iam: Any, statement: Any) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    with refused("MalformedPolicyDocument"):
        iam.create_policy(PolicyName="p", PolicyDocument=document)


def test_an_action_of_a_trust_policy_is_one_of_sts_in_any_case(iam: Any) -> None:
    actions = ["STS:assumerole", "sts:tagsession", "sts:SetContext"]
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(Action=actions, Condition=NUMBERS))
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(Action="sts:assumerole"))
    with refused("MalformedPolicyDocument") as no:
        iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(Action="sts:TagSessions"))
    assert no.message == "AssumeRole policy may only specify STS AssumeRole actions."


@pytest.mark.correction("iam-principal-new")
def test_a_new_role_is_no_principal_for_a_while(local: LocalAws, iam: Any) -> None:
    set_faults(local, Faults(propagation_s=5))
    arn = make_role(iam, "first")["Arn"]
    for _ in range(2):
        with refused("MalformedPolicyDocument") as no:
            iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(Principal={"AWS": arn}))
        assert no.message == f'Invalid principal in policy: "AWS":"{arn}"'
        advance(local, 2)
    advance(local, 2)
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(Principal={"AWS": arn}))


@pytest.mark.correction("iam-principal-self")
def test_a_role_trusts_itself_only_once_it_is_there(iam: Any) -> None:
    itself = trust(Principal={"AWS": "arn:aws:iam::123456789012:role/worker"})
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=itself)
    make_role(iam)
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=itself)


@pytest.mark.correction("iam-principal-gone")
def test_a_principal_that_is_deleted_shows_as_its_id(iam: Any) -> None:
    def principals() -> Any:
        role = iam.get_role(RoleName="worker")["Role"]
        return role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]

    first, second = make_role(iam, "first"), make_role(iam, "second")
    both = [first["Arn"], second["Arn"]]
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(Principal={"AWS": both}))
    iam.delete_role(RoleName="first")
    assert principals() == [first["RoleId"], second["Arn"]]
    make_role(iam, "first")
    assert principals() == [first["RoleId"], second["Arn"]], "another role of the same name is another role"
    with refused("MalformedPolicyDocument"):
        iam.update_assume_role_policy(
            RoleName="worker", PolicyDocument=trust(Principal={"AWS": first["RoleId"]})
        )
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(Principal={"AWS": first["Arn"]}))
    assert principals() == first["Arn"]


@pytest.mark.correction("iam-principal")
@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": "arn:aws:iam::123456789012:role/nobody"},
        {"AWS": "arn:aws:iam::999999999999:user/*"},
        {"AWS": "arn:aws:iam::999999999999:group/people"},
        {"AWS": "arn:aws-cn:iam::999999999999:root"},
        {"AWS": "arn:aws:s3:::bucket"},
        {"AWS": "12345678901"},
        {"Federated": "arn:aws-cn:iam::999999999999:saml-provider/theirs"},
        {"Service": "ec2"},
        {"Nothing": "ec2.amazonaws.com"},
    ],
)
def test_a_trust_policy_names_principals_that_exist(iam: Any, principal: Any) -> None:
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(Principal=principal))


def test_principals_that_exist_are_accepted(iam: Any) -> None:
    role = make_role(iam, "first")["Arn"]
    accounts = [
        "123456789012",
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::999999999999:role/theirs",
        role,
    ]
    services = ["ec2.amazonaws.com", "lambda.amazonaws.com"]
    federated = ["cognito-identity.amazonaws.com", "arn:aws:iam::123456789012:oidc-provider/example.com"]
    document = trust(Principal={"AWS": accounts, "Service": services, "Federated": federated})
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=document)


@pytest.mark.same_on_moto
def test_a_policy_of_a_role_names_no_principal(iam: Any) -> None:
    with refused("MalformedPolicyDocument"):
        iam.create_policy(PolicyName="p", PolicyDocument=TRUST)


def test_a_policy_of_a_role_follows_the_grammar(iam: Any) -> None:
    make_role(iam)
    for document in ("{", json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]})):
        with refused("MalformedPolicyDocument"):
            iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=document)


def test_a_profile_holds_one_role(iam: Any) -> None:
    make_profile(iam)
    make_role(iam, "other")
    with refused("LimitExceeded") as no:
        iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="other")
    assert no.message == "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"
    with refused("LimitExceeded"):
        iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")


@pytest.mark.correction("iam-remove-role")
def test_a_role_that_is_not_inside_cannot_be_removed(iam: Any) -> None:
    make_profile(iam)
    make_role(iam, "other")
    with refused("NoSuchEntity") as no:
        iam.remove_role_from_instance_profile(InstanceProfileName="worker", RoleName="other")
    assert no.status == 404


def test_what_is_in_use_is_not_deleted(iam: Any) -> None:
    make_profile(iam)
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=POLICY)
    iam.attach_role_policy(RoleName="worker", PolicyArn=S3)
    with refused("DeleteConflict") as no:
        iam.delete_role(RoleName="worker")
    assert no.status == 409
    with refused("DeleteConflict"):
        iam.delete_instance_profile(InstanceProfileName="worker")
    iam.remove_role_from_instance_profile(InstanceProfileName="worker", RoleName="worker")
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="worker")
    iam.detach_role_policy(RoleName="worker", PolicyArn=S3)
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="worker")
    iam.delete_role_policy(RoleName="worker", PolicyName="p")
    iam.delete_role(RoleName="worker")
    iam.delete_instance_profile(InstanceProfileName="worker")
    with refused("NoSuchEntity"):
        iam.get_role(RoleName="worker")


@pytest.mark.correction("iam-policy-in-use")
def test_a_policy_in_use_is_not_deleted(iam: Any) -> None:
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    make_role(iam, PermissionsBoundary=arn)
    with refused("DeleteConflict"):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_role_permissions_boundary(RoleName="worker")
    iam.delete_policy(PolicyArn=arn)


@pytest.mark.correction("iam-boundary")
def test_a_boundary_is_a_policy_that_exists(iam: Any) -> None:
    with refused("NoSuchEntity"):
        make_role(iam, PermissionsBoundary="arn:aws:iam::aws:policy/NoSuchPolicy")


@pytest.mark.correction("iam-partition")
def test_policies_are_of_the_accounts_own_partition(iam: Any) -> None:
    make_role(iam)
    other = S3.replace("arn:aws:", "arn:aws-us-gov:")
    for call in (iam.attach_role_policy, iam.detach_role_policy):
        with refused("ValidationError") as no:
            call(RoleName="worker", PolicyArn=other)
        assert no.message == "Invalid ARN partition"
    with refused("ValidationError"):
        make_role(iam, "other", PermissionsBoundary=other)


@pytest.mark.same_on_moto
def test_update_role_without_a_duration_resets_it(iam: Any) -> None:
    make_role(iam, MaxSessionDuration=7200)
    iam.update_role(RoleName="worker", Description="changed")
    role = iam.get_role(RoleName="worker")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("changed", 3600)


@pytest.mark.correction("iam-session-duration")
def test_sessions_last_from_one_to_twelve_hours(iam: Any) -> None:
    make_role(iam, MaxSessionDuration=43200)
    with refused("ValidationError"):
        make_role(iam, "other", MaxSessionDuration=43201)


@pytest.mark.correction("iam-documents-encoded")
def test_documents_travel_url_encoded_in_every_answer(local: LocalAws, iam: Any) -> None:
    make_profile(iam)
    percent = POLICY.replace("s3:*", "s3:Get%41")
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=percent)
    raw: list[str] = []

    def collect(response_dict: dict[str, Any], **_: Any) -> None:
        raw.append(response_dict["body"].decode())

    iam.meta.events.register("before-parse.iam", collect)
    try:
        iam.list_roles()
        iam.get_instance_profile(InstanceProfileName="worker")
        details = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    finally:
        iam.meta.events.unregister("before-parse.iam", collect)
    assert len(raw) == 3
    for body in raw:
        assert urllib.parse.quote('"Statement"') in body
    assert details[0]["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] == "s3:Get%41"


@pytest.mark.correction("iam-list-no-tags")
def test_lists_leave_tags_out_and_reads_have_them(iam: Any) -> None:
    tags = [{"Key": "team", "Value": "data"}]
    make_profile(iam, Tags=tags)
    assert "Tags" not in iam.list_instance_profiles()["InstanceProfiles"][0]
    assert "Tags" not in iam.list_roles()["Roles"][0]
    assert iam.get_instance_profile(InstanceProfileName="worker")["InstanceProfile"]["Tags"] == tags


@pytest.mark.correction("iam-list-path")
def test_profiles_are_listed_by_path(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="ours", Path="/provisioner/dev/")
    iam.create_instance_profile(InstanceProfileName="theirs")
    found = iam.list_instance_profiles(PathPrefix="/provisioner/dev/")["InstanceProfiles"]
    assert [item["InstanceProfileName"] for item in found] == ["ours"]


@pytest.mark.correction("iam-list-pages")
def test_profiles_are_listed_page_by_page(iam: Any) -> None:
    for number in range(5):
        iam.create_instance_profile(InstanceProfileName=f"p{number}")
    first = iam.list_instance_profiles(MaxItems=2)
    assert (len(first["InstanceProfiles"]), first["IsTruncated"]) == (2, True)
    paginator = iam.get_paginator("list_instance_profiles")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["InstanceProfiles"]) for page in pages] == [2, 2, 1]


@pytest.mark.correction("iam-details-pages")
def test_account_details_come_page_by_page(iam: Any) -> None:
    for number in range(5):
        make_role(iam, f"r{number}")
    paginator = iam.get_paginator("get_account_authorization_details")
    pages = list(paginator.paginate(Filter=["Role"], PaginationConfig={"PageSize": 2}))
    assert [len(page["RoleDetailList"]) for page in pages] == [2, 2, 1]


def test_account_details_have_all_of_a_role_but_description_and_duration(iam: Any) -> None:
    make_profile(iam, Path="/x/")
    iam.tag_role(RoleName="worker", Tags=[{"Key": "team", "Value": "data"}])
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=POLICY)
    iam.attach_role_policy(RoleName="worker", PolicyArn=S3)
    iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=S3)
    (role,) = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert role["RolePolicyList"] == [{"PolicyName": "p", "PolicyDocument": json.loads(POLICY)}]
    assert role["AttachedManagedPolicies"] == [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": S3}]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == S3
    assert role["Tags"] == [{"Key": "team", "Value": "data"}]
    assert [item["InstanceProfileName"] for item in role["InstanceProfileList"]] == ["worker"]
    assert "Description" not in role
    assert "MaxSessionDuration" not in role


@pytest.mark.correction("iam-profile-tags")
def test_tags_of_profiles_follow_the_rules_of_tags(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="worker", Tags=[{"Key": "a", "Value": "b"}])
    for key in ("k" * 129, "semi;colon", "aws:mine"):
        with pytest.raises(iam.exceptions.ClientError):
            iam.tag_instance_profile(InstanceProfileName="worker", Tags=[{"Key": key, "Value": ""}])
    assert iam.list_instance_profile_tags(InstanceProfileName="worker")["Tags"] == [
        {"Key": "a", "Value": "b"}
    ]


@pytest.mark.correction("iam-tag-case")
def test_a_tag_of_a_role_replaces_the_one_whose_key_differs_in_case_only(iam: Any) -> None:
    make_role(iam, Tags=[{"Key": "Team", "Value": "a"}, {"Key": "Stage", "Value": "dev"}])
    iam.tag_role(RoleName="worker", Tags=[{"Key": "team", "Value": "b"}])
    for tags in (
        iam.list_role_tags(RoleName="worker")["Tags"],
        iam.get_role(RoleName="worker")["Role"]["Tags"],
        iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"][0]["Tags"],
    ):
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "b", "Stage": "dev"}
    iam.untag_role(RoleName="worker", TagKeys=["TEAM"])
    assert iam.list_role_tags(RoleName="worker")["Tags"] == [{"Key": "Stage", "Value": "dev"}]


def test_fifty_tags_of_a_role_can_be_written_again_in_another_case(iam: Any) -> None:
    make_role(iam, Tags=[{"Key": f"Key{n}", "Value": "a"} for n in range(50)])
    iam.tag_role(RoleName="worker", Tags=[{"Key": f"key{n}", "Value": "b"} for n in range(50)])
    with refused("LimitExceeded"):
        iam.tag_role(RoleName="worker", Tags=[{"Key": "more", "Value": ""}])


def test_tag_keys_of_a_profile_may_differ_in_case_only(iam: Any) -> None:
    both = [{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": "b"}]
    iam.create_instance_profile(InstanceProfileName="worker", Tags=both)
    iam.untag_instance_profile(InstanceProfileName="worker", TagKeys=["Team"])
    assert iam.list_instance_profile_tags(InstanceProfileName="worker")["Tags"] == both[1:]
    iam.tag_instance_profile(InstanceProfileName="worker", Tags=both[:1])
    assert len(iam.list_instance_profile_tags(InstanceProfileName="worker")["Tags"]) == 2
    with refused("InvalidInput"):
        iam.tag_instance_profile(InstanceProfileName="worker", Tags=[both[0], both[0]])


@pytest.mark.correction("iam-find-by-any-case")
def test_roles_and_profiles_are_found_in_whatever_case(iam: Any) -> None:
    iam.create_role(RoleName="Worker", AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName="Worker")
    role, profile = {"RoleName": "wORKER"}, {"InstanceProfileName": "worKer"}
    assert iam.get_role(**role)["Role"]["RoleName"] == "Worker"
    iam.tag_role(**role, Tags=[{"Key": "a", "Value": "b"}])
    iam.update_role(**role, Description="new")
    iam.update_role_description(**role, Description="newer")
    iam.update_assume_role_policy(**role, PolicyDocument=TRUST)
    iam.put_role_policy(**role, PolicyName="p", PolicyDocument=POLICY)
    iam.attach_role_policy(**role, PolicyArn=S3)
    iam.put_role_permissions_boundary(**role, PermissionsBoundary=S3)
    iam.add_role_to_instance_profile(**role, **profile)
    iam.tag_instance_profile(**profile, Tags=[{"Key": "a", "Value": "b"}])
    (details,) = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    assert details["RoleName"] == "Worker"
    assert [item["PolicyName"] for item in details["RolePolicyList"]] == ["p"]
    assert [item["InstanceProfileName"] for item in details["InstanceProfileList"]] == ["Worker"]
    assert iam.list_role_tags(**role)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert iam.list_instance_profiles_for_role(**role)["InstanceProfiles"]
    assert iam.get_instance_profile(**profile)["InstanceProfile"]["Roles"][0]["RoleName"] == "Worker"
    iam.remove_role_from_instance_profile(**role, **profile)
    iam.delete_instance_profile(**profile)
    iam.detach_role_policy(**role, PolicyArn=S3)
    iam.delete_role_policy(**role, PolicyName="p")
    iam.delete_role(**role)
    with refused("NoSuchEntity"):
        iam.get_role(RoleName="Worker")


@pytest.mark.correction("iam-policy-case")
def test_policy_names_clash_without_regard_to_case_and_path(iam: Any) -> None:
    iam.create_policy(PolicyName="Reader", Path="/a/", PolicyDocument=POLICY)
    with refused("EntityAlreadyExists"):
        iam.create_policy(PolicyName="reader", Path="/b/", PolicyDocument=POLICY)
    iam.create_policy(PolicyName="AmazonS3ReadOnlyAccess", PolicyDocument=POLICY)


@pytest.mark.same_on_moto
def test_tag_keys_of_a_role_differ_in_more_than_case(iam: Any) -> None:
    with refused("InvalidInput"):
        make_role(iam, Tags=[{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": "b"}])
