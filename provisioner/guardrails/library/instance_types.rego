# Fleets have only instance types that are allowed.
# data.parameters.instance_types: patterns such as t3.* and m7i.large. Absent: none is allowed.
package main

import rego.v1

default allowed_instance_types := []

allowed_instance_types := data.parameters.instance_types

default allowed_instance_types_told := "none"

# regopy: concat of nothing is no text.
allowed_instance_types_told := concat(", ", allowed_instance_types) if {
	is_array(allowed_instance_types)
	count(allowed_instance_types) > 0
}

deny_instance_types contains "data.parameters.instance_types is no list" if not is_array(allowed_instance_types)

deny_instance_types contains msg if {
	some address, fleet in input.desired
	startswith(address, "fleet/")
	is_array(allowed_instance_types)
	some type in fleet.instance_type
	not is_allowed_type(type)
	msg := sprintf("%s may have %s, and allowed are: %s", [address, type, allowed_instance_types_told])
}

is_allowed_type(type) if {
	some pattern in allowed_instance_types
	glob.match(pattern, [], type)
}
