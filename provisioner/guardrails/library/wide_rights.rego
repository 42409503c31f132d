# No role is allowed everything: not by a statement, not by one of AWS's own policies, and not by rights over any role or user.
# data.parameters.wide_policies: names of managed policies that are too wide. Absent: those below.
package main

import rego.v1

default wide_policies := [
	"AdministratorAccess",
	"AdministratorAccess-Amplify",
	"AdministratorAccess-AWSElasticBeanstalk",
	"IAMFullAccess",
	"PowerUserAccess",
	"SystemAdministrator",
]

wide_policies := data.parameters.wide_policies

deny_wide_rights contains "data.parameters.wide_policies is no list" if not is_array(wide_policies)

deny_wide_rights contains msg if {
	some address, role in input.desired
	startswith(address, "role/")
	is_array(wide_policies)
	some arn in role.managed_policies
	parts := split(arn, "/")
	name := parts[count(parts) - 1]
	name in wide_policies
	msg := sprintf("%s has %s", [address, name])
}

deny_wide_rights contains msg if {
	some found in allowing_statements
	some action in as_list(object.get(found.statement, "Action", []))
	is_every_action(action)
	msg := sprintf("%s is allowed every action by its policy %s", [found.role, found.policy])
}

deny_wide_rights contains msg if {
	some found in allowing_statements
	some action in as_list(object.get(found.statement, "Action", []))
	not is_every_action(action)
	gives_rights(action)
	some resource in as_list(object.get(found.statement, "Resource", []))
	is_anything(resource)
	msg := sprintf("%s is allowed %s on %s by its policy %s", [found.role, action, resource, found.policy])
}

deny_wide_rights contains msg if {
	some found in allowing_statements
	some action in as_list(object.get(found.statement, "Action", []))
	not is_every_action(action)
	gives_rights(action)
	found.statement.NotResource
	msg := sprintf("%s is allowed %s on all but a few (NotResource) by its policy %s", [found.role, action, found.policy])
}

# Actions that give whoever has them the rights of another, as the `!` of a plan marks them.
giving := {
	"iam:passrole",
	"iam:createaccesskey",
	"iam:createloginprofile",
	"iam:updateloginprofile",
	"iam:attachuserpolicy",
	"iam:attachgrouppolicy",
	"iam:attachrolepolicy",
	"iam:putuserpolicy",
	"iam:putgrouppolicy",
	"iam:putrolepolicy",
	"iam:createpolicyversion",
	"iam:setdefaultpolicyversion",
	"iam:updateassumerolepolicy",
	"iam:addusertogroup",
	"iam:deleterolepermissionsboundary",
	"iam:deleteuserpermissionsboundary",
	"sts:assumerole",
}

is_every_action(action) if regex.match(`^[*?:]*\*[*?:]*$`, action)

# IAM reads actions in any case, with * and ?.
gives_rights(action) if {
	some name in giving
	glob.match(lower(action), null, name)
}

# *, arn:aws:iam::*:role/*, and an ARN that is cut short after a wildcard: all that may follow.
is_anything(resource) if {
	not contains(resource, ":s3:")
	regex.match(`^([^:]*:){0,5}([A-Za-z-]+[/:])?[*?/]*\*[*?/]*$`, resource)
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
