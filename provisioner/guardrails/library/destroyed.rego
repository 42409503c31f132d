# At most so many things may be destroyed or replaced by one plan.
# data.parameters.max_destroyed: how many. Absent: 0.
package main

import rego.v1

default max_destroyed := 0

max_destroyed := data.parameters.max_destroyed

destroyed_sizes := [change.size |
	some change in input.changes
	change.action in {"delete", "replace"}
	change.deferred == null
]

deny_destroyed contains msg if {
	total := sum(destroyed_sizes)
	total > max_destroyed
	msg := sprintf("%d would be destroyed or replaced, and at most %d may be", [total, max_destroyed])
}
