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

# A number is neither more nor less than what is none.
deny_destroyed contains "data.parameters.max_destroyed is no number" if not is_number(max_destroyed)

deny_destroyed contains msg if {
	is_number(max_destroyed)
	total := sum(destroyed_sizes)
	total > max_destroyed
	msg := sprintf("%d would be destroyed or replaced, and at most %d may be", [total, max_destroyed])
}
