# Every role has a permissions boundary.
# data.parameters.boundaries: the ARNs that may be one. Absent: any.
package main

import rego.v1

deny_boundary contains msg if {
	some address, role in input.desired
	startswith(address, "role/")
	role.permissions_boundary == null
	msg := sprintf("%s has no permissions boundary: set permissions_boundary", [address])
}

deny_boundary contains "data.parameters.boundaries is no list" if {
	allowed := data.parameters.boundaries
	not is_array(allowed)
}

deny_boundary contains msg if {
	some address, role in input.desired
	startswith(address, "role/")
	boundary := role.permissions_boundary
	is_string(boundary)
	allowed := data.parameters.boundaries
	is_array(allowed)
	not boundary in allowed
	msg := sprintf("%s has the permissions boundary %s; allowed are: %v", [address, boundary, allowed])
}
