"""The same job with more members: whether calls and seconds of provisioner grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.compare import Run, one_round, say, told
from bench.contenders import Contender, contender, provisioner_on
from bench.world import Bench

MANY_ROLES = 40
# As many as one launch bucket of EC2 holds; the account's quotas would have to allow it.
MOST = 1000
WITH_ROLES = "ours, 40 roles"
WITH_PROFILES = "ours, 40 roles, 40 profiles"


def measure(bench: Bench, sizes: Sequence[int], competitors: Sequence[str], up_to: int) -> list[Run]:
    """provisioner at every size, and once more with many roles at the largest; competitors up to `up_to`."""
    runs: list[Run] = []

    def go(tool: Contender, members: int, iam: tuple[int, int], who: str) -> None:
        for done in one_round(bench, tool, [tool], members, iam, plans=3 if tool.name == "ours" else 1):
            renamed = Run(**{**done.__dict__, "who": who})
            runs.append(renamed)
            say(f"scale: {told(renamed)}")

    for members in sizes:
        go(contender("ours", bench.url, members, bench.folder), members, (1, 1), "ours")
        for name in competitors if members <= up_to else ():
            go(contender(name, bench.url, members, bench.folder), members, (1, 1), name)
    for who, profiles in ((WITH_ROLES, 1), (WITH_PROFILES, MANY_ROLES)):
        spec = _many_roles(bench.folder / "roles.yaml", max(sizes), profiles)
        go(provisioner_on(spec, bench.url), max(sizes), (MANY_ROLES, profiles), who)
    return runs


def _many_roles(path: Path, members: int, profiles: int) -> Path:
    """The job with more roles, each with two policies, the first of them used by the fleet."""
    zones = "availability_zones: [us-east-1a, us-east-1b, us-east-1c]"
    image = "{ssm: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}"
    policies = "managed_policies: [AmazonS3ReadOnlyAccess, AmazonSSMManagedInstanceCore]"
    lines = ["environment: bench", "region: us-east-1", "roles:"]
    lines += [f"  r{number}: {{{policies}}}" for number in range(MANY_ROLES)]
    lines += ["instance_profiles:", *(f"  r{number}: {{role: r{number}}}" for number in range(profiles))]
    lines += ["fleets:", "  worker:", f"    count: {members}", "    instance_profile: r0"]
    lines += [f"    image: {image}", "    instance_type: t3.large", f"    {zones}", ""]
    path.write_text("\n".join(lines))
    return path
