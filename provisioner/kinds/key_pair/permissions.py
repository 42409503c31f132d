"""What a deployer has to be allowed for key pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioner.kinds.key_pair.spec import KeyPair
from provisioner.naming import ENVIRONMENT_TAG, KEY_PAIR_TAG
from provisioner.rights import OWN_REQUEST, Place, Purpose, Statement, named_and_none_of, read_ec2, together


def key_pair_permissions(key_pairs: Sequence[KeyPair], place: Place, purpose: Purpose) -> Iterator[Statement]:
    """The statements for the key pairs of a spec."""
    if purpose is not Purpose.APPLY:
        yield read_ec2(place, "DescribeKeyPairs")
    if not key_pairs:
        return
    named = place.ec2("key-pair", *(key_pair.name for key_pair in key_pairs))
    every = place.ec2("key-pair")
    ours, made = place.owned_as(KEY_PAIR_TAG), place.made_as(KEY_PAIR_TAG)
    if purpose is not Purpose.PLAN:
        why = "to delete key pairs that carry both tags of the environment's key pairs"
        yield Statement("DeleteKeyPairs", why, ("ec2:DeleteKeyPair",), every, ours)
    if purpose is not Purpose.APPLY:
        return
    why = "to import the key pairs of the spec, with both tags"
    yield Statement("ImportKeyPairs", why, ("ec2:ImportKeyPair",), named, made)
    at_import = together(made, {"StringEquals": {"ec2:CreateAction": "ImportKeyPair"}})
    why = "to give key pairs their tags within the import"
    yield Statement("TagKeyPairsAtImport", why, ("ec2:CreateTags",), named, at_import)
    why = "to correct tags of key pairs that carry both, and to give the environment's to no other"
    stays = together(ours, {"StringEqualsIfExists": {OWN_REQUEST: place.environment}})
    yield Statement("TagKeyPairs", why, ("ec2:CreateTags",), every, stays)
    never = named_and_none_of(ENVIRONMENT_TAG, KEY_PAIR_TAG)
    why = "to take tags off key pairs, but never those two"
    yield Statement("UntagKeyPairs", why, ("ec2:DeleteTags",), every, together(ours, never))
