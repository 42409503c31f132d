# An environment costs at most so much by the hour, by AWS's list prices. What makes it cheaper is allowed.
# data.parameters.max_cost_per_hour: in the currency of the prices. Absent: 0.
package main

import rego.v1

default max_cost_per_hour := 0

max_cost_per_hour := data.parameters.max_cost_per_hour

# A number is neither more nor less than what is none.
deny_max_cost contains "data.parameters.max_cost_per_hour is no number" if not is_number(max_cost_per_hour)

# A plan that was made without prices may cost anything; one that changes nothing, or destroys, costs nothing more.
deny_max_cost contains msg if {
	is_number(max_cost_per_hour)
	not is_object(input.cost)
	not input.destroy
	count(input.changes) > 0
	msg := "what this costs was not asked: leave out --no-cost"
}

deny_max_cost contains msg if {
	is_number(max_cost_per_hour)
	after := input.cost.hourly.after
	after > max_cost_per_hour
	after > input.cost.hourly.before
	msg := sprintf("it would cost %v %s by the hour, and at most %v is allowed", [after, input.cost.currency, max_cost_per_hour])
}

# What has no known price is not nothing; more of it costs more.
deny_max_cost contains msg if {
	some line in input.cost.lines
	is_null(line.after.hourly)
	may_cost_more(line)
	msg := sprintf("nobody knows what this costs: %v × %s", [line.after.count, line.what])
}

may_cost_more(line) if line.after.count > line.before.count

may_cost_more(line) if not is_null(line.before.hourly)
