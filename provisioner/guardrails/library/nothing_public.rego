# No fleet asks for public addresses, no security group lets everybody in, and nobody and everybody may not
# assume a role.
package main

import rego.v1

deny_public contains msg if {
	some address, fleet in input.desired
	startswith(address, "fleet/")
	fleet.associate_public_ip == true
	msg := sprintf("%s gets public addresses: set associate_public_ip to false", [address])
}

warn_public contains msg if {
	some address, fleet in input.desired
	startswith(address, "fleet/")
	fleet.associate_public_ip == null
	msg := sprintf("%s gets public addresses where its subnets say so: set associate_public_ip to false", [address])
}

deny_public contains msg if {
	some address, group in input.desired
	startswith(address, "security_group/")
	some rule in group.ingress
	rule.cidr in {"0.0.0.0/0", "::/0"}
	msg := sprintf("%s lets everybody in, from %s: name the addresses that may", [address, rule.cidr])
}

deny_public contains msg if {
	some address, role in input.desired
	startswith(address, "role/")
	some statement in statements_of_trust(role)
	statement.Effect == "Allow"
	is_everybody(object.get(statement, "Principal", ""))
	msg := sprintf("%s may be assumed by anybody (Principal *)", [address])
}

deny_public contains msg if {
	some address, role in input.desired
	startswith(address, "role/")
	some statement in statements_of_trust(role)
	statement.Effect == "Allow"
	statement.NotPrincipal
	msg := sprintf("%s may be assumed by all but a few (NotPrincipal)", [address])
}

statements_of_trust(role) := role.trust.Statement if is_array(role.trust.Statement)

statements_of_trust(role) := [role.trust.Statement] if is_object(role.trust.Statement)

is_everybody("*")

is_everybody(principal) if "*" in principals_of(principal)

principals_of(principal) := found if {
	is_object(principal)
	found := {name |
		some value in principal
		some name in as_names(value)
	}
}

as_names(value) := value if is_array(value)

as_names(value) := [value] if is_string(value)
