# Roles, instance profiles and fleets have the tags that are required.
# data.parameters.required_tags: their keys. Absent: owner.
package main

import rego.v1

default required_tags := ["owner"]

required_tags := data.parameters.required_tags

deny_tags contains "data.parameters.required_tags is no list" if not is_array(required_tags)

deny_tags contains msg if {
	some address, thing in input.desired
	is_object(thing.tags)
	is_array(required_tags)
	some key in required_tags
	object.get(thing.tags, key, "") == ""
	msg := sprintf("%s has no tag %s", [address, key])
}
