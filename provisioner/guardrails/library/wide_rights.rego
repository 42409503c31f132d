# No role is allowed everything: not by a statement, not by one of AWS's own policies, and not by passing any role.
# data.parameters.wide_policies: names of managed policies that are too wide. Absent: those below.
package main

import rego.v1

default wide_policies := ["AdministratorAccess", "PowerUserAccess", "IAMFullAccess"]

wide_policies := data.parameters.wide_policies

deny_wide_rights contains msg if {
	some address, role in input.desired
	startswith(address, "role/")
	some arn in role.managed_policies
	parts := split(arn, "/")
	name := parts[count(parts) - 1]
	name in wide_policies
	msg := sprintf("%s has %s", [address, name])
}

deny_wide_rights contains msg if {
	some found in allowing_statements
	some action in as_list(object.get(found.statement, "Action", []))
	action in {"*", "*:*"}
	msg := sprintf("%s is allowed every action by its policy %s", [found.role, found.policy])
}

deny_wide_rights contains msg if {
	some found in allowing_statements
	some action in as_list(object.get(found.statement, "Action", []))
	lower(action) in {"iam:*", "iam:passrole", "iam:pass*"}
	some resource in as_list(object.get(found.statement, "Resource", []))
	resource in {"*", "arn:aws:iam::*:role/*"}
	msg := sprintf("%s is allowed %s on %s by its policy %s", [found.role, action, resource, found.policy])
}

deny_wide_rights contains msg if {
	some found in allowing_statements
	found.statement.NotAction
	msg := sprintf("%s is allowed all but a few actions (NotAction) by its policy %s", [found.role, found.policy])
}

allowing_statements contains {"role": address, "policy": name, "statement": statement} if {
	some address, role in input.desired
	startswith(address, "role/")
	some name, document in role.inline_policies
	some statement in as_list(document.Statement)
	statement.Effect == "Allow"
}

as_list(value) := value if is_array(value)

as_list(value) := [value] if not is_array(value)
