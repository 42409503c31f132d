"""Starting stopped members, also where EC2 has no room left for the type that they have.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioner.errors import AwsError
from provisioner.kinds.fleet.desired import Fleet
from provisioner.kinds.instances import MOST_IDS, chunks
from provisioner.model import Call, CallCount, Hands, Step
from provisioner.retry import CAPACITY_CODES


@dataclass(frozen=True)
class Start:
    """Start members as they are; without room for that, as each other type of the fleet in turn.

    Where there is room for none, they get the types `before` again, and are started as that if it is another
    than they came with.
    """

    fleet: Fleet
    before: Mapping[str, str]
    now: Mapping[str, str]

    def calls(self) -> Iterable[CallCount]:
        return (CallCount("ec2", "StartInstances", -(-len(self.before) // MOST_IDS)),)

    def run(self, hands: Hands) -> None:
        shortage = self._start(hands)
        others = self._others() if shortage else ()
        for other in others:
            self._resize(dict.fromkeys(self.before, other), hands)
            if not self._start(hands):
                return
        if not shortage:
            return
        if others or self.now != self.before:
            self._resize(self.before, hands)
        run_again = self.now != self.before and not self._start(hands)
        shortage.hint = self._hint(run_again)
        raise shortage

    def _others(self) -> tuple[str, ...]:
        if self.fleet.update.on_restart != "restart":
            return ()
        return tuple(each for each in self.fleet.instance_types if set(self.now.values()) != {each})

    def _start(self, hands: Hands) -> AwsError | None:
        """Why there is no room, if there is none. EC2 starts all of a call or none."""
        try:
            for part in chunks(tuple(self.before), MOST_IDS):
                hands.send(Call("ec2", "StartInstances", {"InstanceIds": list(part)}))
        except AwsError as error:
            if error.code not in CAPACITY_CODES:
                raise
            return error
        return None

    def _resize(self, types: Mapping[str, str], hands: Hands) -> None:
        hands.together(resize(each, type_) for each, type_ in types.items())

    def _hint(self, run_again: bool) -> str:
        ids = ", ".join(self.before)
        types = ", ".join(dict.fromkeys(self.before.values()))
        state = f"run again as {types}" if run_again else "are stopped"
        return f"{ids} {state}; apply again later, or give `instance_type` more choices"


def resize(instance: str, instance_type: str) -> Step:
    """The call that gives a stopped instance another type."""
    params = {"InstanceId": instance, "InstanceType": {"Value": instance_type}}
    return Call("ec2", "ModifyInstanceAttribute", params)
