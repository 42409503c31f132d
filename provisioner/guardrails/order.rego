# The order of values as OPA has it: null, booleans, numbers, texts, arrays, objects, sets. regopy compares values as
# JSON text, which is another order for all but two numbers and two booleans, and sorts numbers by their digits.
# https://www.openpolicyagent.org/docs/policy-reference/builtins/comparison
package provisioner_order

import rego.v1

lt(x, y) := less(x, y)

gt(x, y) := less(y, x)

lte(x, y) := less(y, x) == false

gte(x, y) := less(x, y) == false

# regopy works out what follows the `:=` of a rule before it asks the body, and does not find f(x)[g(x)].
least(values) := result if {
	have_keys(values)
	found := of_key(values)
	first := sort(keys(values))[0]
	result := found[first]
} else := result if {
	not have_keys(values)
	result := sorted_by_rank(values)[0]
}

greatest(values) := result if {
	have_keys(values)
	found := of_key(values)
	ordered := sort(keys(values))
	number := count(values) - 1
	last := ordered[number]
	result := found[last]
} else := result if {
	not have_keys(values)
	ordered := sorted_by_rank(values)
	number := count(values) - 1
	result := ordered[number]
}

sorted(values) := result if {
	have_keys(values)
	found := of_key(values)
	result := [found[key] | some key in sort(keys(values))]
} else := result if {
	not have_keys(values)
	result := sorted_by_rank(values)
}

sorted_by_rank(values) := result if {
	places := [[sprintf("%016d", [count([y | some y in values; less(y, x)])]), x] | some x in values]
	ranks := sort({place[0] | some place in places})
	result := [place[1] | some rank in ranks; some place in places; place[0] == rank]
}

have_keys(values) if {
	every value in values { has_key(value) }
}

# A text for a value that is in OPA's order also as JSON, by which regopy sorts; numbers, too. It asks for the key of
# every value before it asks which have one, so each gives another text.
keys(values) := [key_of(value) | some value in values]

of_key(values) := {key_of(value): value | some value in values}

has_key(value) if {
	is_string(value)
} else if {
	value >= 0
	value < 1000000000000000
	floor(value) == value
}

key_of(value) := sprintf("2%016d", [value]) if {
	is_number(value)
	has_key(value)
} else := concat("", ["3", bytes(value)]) if {
	is_string(value)
} else := json.marshal(value)

less(x, y) := x < y if {
	is_number(x)
	is_number(y)
} else := bytes(x) < bytes(y) if {
	is_string(x)
	is_string(y)
} else := false if {
	x == y
} else := types[type_name(x)] < types[type_name(y)] if {
	type_name(x) != type_name(y)
} else := x < y if {
	is_boolean(x)
} else := to_number("two arrays, objects or sets")

types := {"null": 0, "boolean": 1, "number": 2, "string": 3, "array": 4, "object": 5, "set": 6}

# Of a text, in base 16. regopy keeps texts with JSON's escapes.
bytes(x) := strings.replace_n({"..": "5c"}, strings.replace_n(escapes, strings.replace_n({"5c5c": ".."}, hex.encode(x))))

escapes := {
	"5c22": "22",
	"5c2f": "2f",
	"5c62": "08",
	"5c74": "09",
	"5c6e": "0a",
	"5c66": "0c",
	"5c72": "0d",
}
