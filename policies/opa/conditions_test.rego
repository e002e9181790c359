package permit_conditions_test

import rego.v1

import data.permit

# operator, left, right, verdict
table := [
	["equals", 1, 1, true],
	["equals", 1, 1.0, true],
	["equals", 1, true, null],
	["equals", "1", 1, null],
	["equals", null, null, null],
	["equals", [true], [1], false],
	["equals", [null], [null], false],
	["equals", {"a": {"b": null}}, {"a": {"b": null}}, false],
	["equals", {"a": 1}, {"a": 1}, true],
	["not-equals", 1, 2, true],
	["not-equals", 1, true, null],
	["not-equals", [null], [null], true],
	["less-than", 1, 2, true],
	["less-than", 2, 2, false],
	["less-than", false, true, null],
	["less-than", "a", "b", true],
	["less-than", "10", 9, null],
	["less-than-equals", 2, 2, true],
	["less-than-equals", 9007199254740993, 9007199254740992, false],
	["greater-than", 3, 2, true],
	["greater-than", 2, 2, false],
	["greater-than-equals", 2, 2, true],
	["greater-than-equals", null, 2, null],
	["between", 5, [5, 7], true],
	["between", 8, [5, 7], false],
	["between", 5, [5, "7"], null],
	["between", 5, [5], null],
	["between", 5, 5, null],
	["contains", "abc", "bc", true],
	["contains", "abc", "", true],
	["contains", "abc", "x", false],
	["contains", ["abc"], "abc", null],
	["in", 1, [1, 2], true],
	["in", true, [1, 2], false],
	["in", null, [null], null],
	["in", 1, "1", null],
	["array_contains", [1, 2], 1, true],
	["array_contains", [null], null, null],
	["array_contains", "abc", "a", null],
	["array_subset", [1], [1, 2], true],
	["array_subset", [], [1, 2], true],
	["array_subset", [null], [null], false],
	["array_subset", [1, 3], [1, 2], false],
	["array_superset", [1, 2], [1], true],
	["array_superset", [1], [1, 2], false],
	["array_intersect", [1, 3], [1, 2], true],
	["array_intersect", [3], [1, 2], false],
	["array_intersect", [], [], false],
	["array_intersect", "a", ["a"], null],
	["time equals", "2026-11-22", "2026-11-22T01:00:00+01:00", true],
	["time equals", "2026-9-1", "2026-9-1", null],
	["time not-equals", "2026-11-22", "2026-11-23", true],
	["time not-equals", "2026-11-22", "08:30", null],
	["time less-than", "2026-11-22", "2026-11-22 00:00:00.000000001", true],
	["time less-than", "9:00", "10:00", null],
	["time less-than", "2024-02-28", "2024-02-29", true],
	["time less-than", "2026-02-28", "2026-02-29", null],
	["time less-than", "1900-02-28", "1900-02-29", null],
	["time less-than", "0000-01-01", "0001-01-01", null],
	["time less-than-equals", "2026-11-22T08:30", "2026-11-22T08:30:00Z", true],
	["time greater-than", "2026-9-1", "2026-12-01", null],
	["time greater-than", "2026-11-22T23:59:59", "2026-11-22T24:00:00", null],
	["time greater-than-equals", "08:30", "08:29:59.9", true],
	["time between", "08:30", ["08:00", "17:00"], true],
	["time between", "18:30", ["08:00", "17:00"], false],
	["time between", "08:30", ["08:00", "late"], null],
	["time between", "08:30", ["08:00"], null],
	["time in", "2026-11-22T00:00:00Z", ["2026-11-22"], true],
	["time in", "2026-11-22", ["never", "2026-11-23"], false],
	["time in", "soon", ["soon"], null],
	["no-such-operator", 1, 1, null],
]

test_comparisons_hold_fail_or_cannot_be_made if {
	every row in table {
		permit.compared(row[0], row[1], row[2]) == row[3]
	}
}

test_logic_has_three_outcomes if {
	permit.all_of([true, null]) == null
	permit.all_of([false, null]) == false
	permit.all_of([true, true]) == true
	permit.any_of([false, null]) == null
	permit.any_of([true, null]) == true
	permit.any_of([false, false]) == false
	permit.turned({"negated": true}, null) == null
	permit.turned({"negated": true}, false) == true
	permit.turned({"negated": false}, false) == false
}

test_an_object_laid_over_another_hides_what_is_inside if {
	permit.over({"a": {"x": 1}}, {"a": {"y": 2}, "b": 3}) == {"a": {"x": 1}, "b": 3}
	permit.over({"a": null}, {"a": 1}) == {"a": null}
}

compare(of, names, operator, value, within, negated) := {
	"is": "comparison",
	"within": within,
	"negated": negated,
	"left": {"of": of, "names": names},
	"operator": operator,
	"right": {"value": value},
}

match(which, name, inner, more) := object.union(
	{"is": "match", "within": -1, "negated": false, "which": which, "left": {"of": "resource", "names": [name]}, "inner": inner},
	more,
)

# A match of `name`, in whose objects `size` is over 5.
over_five(which, name, more) := {
	"nodes": [match(which, name, 1, more), compare("resource", ["size"], "greater-than", 5, 0, false)],
	"layers": [[1], [0]],
	"matches": [0],
	"root": 0,
}

facts := {"instances": {"shelf": {
	"big": {"tenant": "home", "attributes": {"size": 9}},
	"small": {"tenant": "home", "attributes": {"size": 1}},
	"foreign": {"tenant": "away", "attributes": {"size": 9}},
}}}

verdict(condition, attributes) := outcome if {
	check := {
		"user": "ann",
		"type": "room",
		"key": null,
		"tenant": "home",
		"resource_attributes": attributes,
		"user_attributes": {},
		"context": {},
		"call": {},
	}
	outcome := permit.verdict(0, condition) with data.facts as {"slot": facts}
		with input as {"slot": "slot", "checks": [check]}
}

test_a_match_looks_into_one_object if {
	verdict(over_five("object_match", "thing", {}), {"thing": {"size": 6}}) == true
	verdict(over_five("object_match", "thing", {}), {"thing": {"size": 5}}) == false
	verdict(over_five("object_match", "thing", {}), {"thing": {}}) == null
	verdict(over_five("object_match", "thing", {}), {"thing": 6}) == null
	verdict(over_five("object_match", "thing", {}), {}) == null
	verdict(over_five("object_match", "thing", {"negated": true}), {"thing": {"size": 5}}) == true
	verdict(over_five("object_match", "thing", {"negated": true}), {}) == null
}

test_a_match_looks_at_any_or_all_of_a_list_and_an_empty_one_proves_nothing if {
	verdict(over_five("any_match", "things", {}), {"things": [{"size": 1}, {"size": 6}]}) == true
	verdict(over_five("any_match", "things", {}), {"things": [{"size": 1}, 6]}) == null
	verdict(over_five("all_match", "things", {}), {"things": [{"size": 7}, {"size": 6}]}) == true
	verdict(over_five("all_match", "things", {}), {"things": [{"size": 7}, {}]}) == null
	verdict(over_five("all_match", "things", {}), {"things": [{"size": 1}, {}]}) == false
	verdict(over_five("any_match", "things", {}), {"things": []}) == null
	verdict(over_five("all_match", "things", {"negated": true}), {"things": []}) == null
	verdict(over_five("all_match", "things", {}), {"things": {"size": 6}}) == null
}

test_a_match_follows_keys_to_instances_of_the_tenant if {
	verdict(over_five("any_match", "shelves", {"of_type": "shelf"}), {"shelves": ["small", "big"]}) == true
	verdict(over_five("any_match", "shelves", {"of_type": "shelf"}), {"shelves": ["foreign"]}) == null
	verdict(over_five("any_match", "shelves", {"of_type": "shelf"}), {"shelves": ["lost", {"size": 6}]}) == null
	verdict(over_five("object_match", "shelf", {"of_type": "shelf"}), {"shelf": "small"}) == false
}

test_matches_stand_in_matches if {
	nested := {
		"nodes": [
			match("any_match", "rows", 1, {}),
			match("all_match", "cells", 2, {"within": 0}),
			compare("resource", ["size"], "greater-than", 5, 1, false),
		],
		"layers": [[2], [1], [0]],
		"matches": [0, 1],
		"root": 0,
	}
	verdict(nested, {"rows": [{"cells": [{"size": 6}, {"size": 1}]}, {"cells": [{"size": 6}]}]}) == true
	verdict(nested, {"rows": [{"cells": [{"size": 6}, {"size": 1}]}]}) == false
	verdict(nested, {"rows": [{"cells": []}]}) == null
}
