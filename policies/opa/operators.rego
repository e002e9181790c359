# The comparisons a condition may use: true, false, or null when they cannot be made because a side is missing or the two
# are of different kinds. What cannot be made is never true, and its negation is not true either.
package permit

import rego.v1

default compared(_, _, _) := null

compared("equals", left, right) := same(left, right) if alike(left, right)

compared("not-equals", left, right) := negated(same(left, right)) if alike(left, right)

compared("less-than", left, right) := left < right if ordered(left, right)

compared("less-than-equals", left, right) := left <= right if ordered(left, right)

compared("greater-than", left, right) := left > right if ordered(left, right)

compared("greater-than-equals", left, right) := left >= right if ordered(left, right)

compared("between", left, right) := every_true([left >= right[0], left <= right[1]]) if {
	is_array(right)
	count(right) == 2
	ordered(left, right[0])
	ordered(left, right[1])
}

compared("contains", left, right) := contains(left, right) if {
	is_string(left)
	is_string(right)
}

compared("in", left, right) := has(right, left) if {
	not is_null(left)
	is_array(right)
}

compared("array_contains", left, right) := has(left, right) if {
	not is_null(right)
	is_array(left)
}

compared("array_subset", left, right) := every_true([has(right, item) | some item in left]) if arrays(left, right)

compared("array_superset", left, right) := every_true([has(left, item) | some item in right]) if arrays(left, right)

compared("array_intersect", left, right) := some_true([has(right, item) | some item in left]) if arrays(left, right)

# Attributes of type time are compared as what they mean: operators that begin with "time ".
compared("time equals", left, right) := at[0] == at[1] if at := instants(left, right)

compared("time not-equals", left, right) := at[0] != at[1] if at := instants(left, right)

compared("time less-than", left, right) := at[0] < at[1] if at := instants(left, right)

compared("time less-than-equals", left, right) := at[0] <= at[1] if at := instants(left, right)

compared("time greater-than", left, right) := at[0] > at[1] if at := instants(left, right)

compared("time greater-than-equals", left, right) := at[0] >= at[1] if at := instants(left, right)

compared("time between", left, right) := every_true([low[0] >= low[1], high[0] <= high[1]]) if {
	is_array(right)
	count(right) == 2
	low := instants(left, right[0])
	high := instants(left, right[1])
}

compared("time in", left, right) := some_true([true | some each in right; at := instants(left, each); at[0] == at[1]]) if {
	instant(left)
	is_array(right)
}

alike(left, right) if {
	not is_null(left)
	type_name(left) == type_name(right)
}

ordered(left, right) if {
	type_name(left) in {"number", "string"}
	type_name(left) == type_name(right)
}

arrays(left, right) if {
	is_array(left)
	is_array(right)
}

# Equal, with nothing unknown in it: null is the same as nothing, not as another null.
default same(_, _) := false

same(left, right) if {
	left == right
	not has_null(left)
}

has_null(value) if {
	walk(value, [_, part])
	is_null(part)
}

default has(_, _) := false

has(values, wanted) if {
	some value in values
	same(value, wanted)
}

negated(null) := null

negated(true) := false

negated(false) := true

# For what is known alone; conditions.rego has the same for verdicts.
every_true(verdicts) := count([1 | some verdict in verdicts; verdict == false]) == 0

some_true(verdicts) := count([1 | some verdict in verdicts; verdict == true]) > 0
