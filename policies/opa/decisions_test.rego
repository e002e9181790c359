package permit_test

import rego.v1

import data.permit

# A household: rooms hang in a chain of 20 by `next`, boxes stand in rooms, and what may be done with them is said by every
# kind of rule once.
model := {
	"stamp": "m",
	"order": {"roles": ["owner", "guest", "cook"], "resources": {"room": ["keeper", "visitor"], "box": ["keeper", "looker"]}},
	"roles": {
		"owner": {"permissions": [], "extends": ["cook"]},
		"cook": {"permissions": ["room:heat"], "extends": []},
		"guest": {"permissions": [], "extends": []},
	},
	"resources": {
		"room": {"actions": ["heat", "enter", "paint"], "roles": {
			"keeper": {
				"permissions": ["paint"],
				"extends": ["visitor"],
				"granted_to": {
					"users_with_role": [{"role": "keeper", "on_resource": "room", "linked_by_relation": "next", "when": {}}],
					"when": {"no_direct_roles_on_object": true},
				},
			},
			"visitor": {"permissions": ["room:enter"], "extends": []},
		}},
		"box": {"actions": ["open", "move", "look"], "roles": {
			"keeper": {
				"permissions": ["open"],
				"extends": [],
				"granted_to": {
					"users_with_role": [{"role": "keeper", "on_resource": "room", "linked_by_relation": "in", "when": {}}],
					"when": {"no_direct_roles_on_object": false},
				},
			},
			"looker": {"permissions": [], "extends": []},
		}},
	},
	"set_rules": [
		{"user_set": "guest", "is_role": true, "permission": "box:look", "resource_set": "light", "is_resource": false},
		{"user_set": "box#looker", "is_role": true, "permission": "box:look", "resource_set": "box", "is_resource": true},
		{"user_set": "tall", "is_role": false, "permission": "box:move", "resource_set": "box", "is_resource": true},
		{
			"user_set": "guest",
			"is_role": true,
			"permission": "box:move",
			"resource_set": "box",
			"is_resource": true,
			"when": {"condition": comparison("call", "metres", "less-than", 5)},
		},
	],
	"user_sets": {"tall": {"condition": comparison("user", "height", "greater-than", 180)}},
	"resource_sets": {"light": {"condition": comparison("resource", "grams", "less-than", 1000)}},
	"operation_approvals": [{"resource": "box", "operation": "open", "asked_by": ["looker"]}],
}

comparison(of, name, operator, value) := {
	"nodes": [{
		"is": "comparison",
		"within": -1,
		"negated": false,
		"left": {"of": of, "names": [name]},
		"operator": operator,
		"right": {"value": value},
	}],
	"layers": [[0]],
	"matches": [],
	"root": 0,
}

rooms := {sprintf("r%d", [n]): {"tenant": "home", "attributes": {}} | some n in numbers.range(0, 20)}

facts := {
	"stamp": "s",
	"tenants": {"home": true, "away": true},
	"users": {key: {"attributes": {}, "email": null, "first_name": key, "last_name": null} | some key in ["ann", "bob", "cat"]},
	"instances": {
		"room": rooms,
		"box": {
			"light": {"tenant": "home", "attributes": {"grams": 10}},
			"heavy": {"tenant": "home", "attributes": {"grams": 5000}},
			"far": {"tenant": "away", "attributes": {}},
		},
	},
	"held": {
		"ann": {"home": {"everywhere": ["owner"], "on": {"room": {"r0": ["keeper"]}}}},
		"bob": {"home": {"everywhere": ["guest"], "on": {"box": {"heavy": ["looker"]}}}},
		"cat": {"home": {"on": {"room": {"r0": ["keeper"], "r1": ["visitor"]}}}},
	},
	"subjects": {
		"room": object.union(
			{sprintf("r%d", [n + 1]): {"next": [["room", sprintf("r%d", [n])]]} | some n in numbers.range(0, 19)},
			{"r0": {"next": [["room", "r20"]]}},
		),
		"box": {"light": {"in": [["room", "r15"]]}, "heavy": {"in": [["room", "r16"]]}},
	},
}

ask(user, action, type, key, more) := answer if {
	check := {
		"user": user,
		"action": action,
		"type": type,
		"key": key,
		"tenant": "home",
		"user_attributes": {},
		"resource_attributes": {},
		"context": {},
		"call": {},
	}
	question := {"model": "m", "slot": "slot", "stamp": "s", "checks": [object.union(check, more)]}
	answer := permit.answer.decisions[0] with data.model as {"m": model}
		with data.facts as {"slot": facts}
		with input as question
}

verdict(user, action, type, key, more) := [answer.effect, answer.reason, answer.rule] if {
	answer := ask(user, action, type, key, more)
}

test_what_is_not_there_is_denied_in_order if {
	verdict("nobody", "fly", "tree", "x", {"tenant": "moon"}) == ["deny", "no_such_resource", null]
	verdict("nobody", "fly", "room", "r0", {"tenant": "moon"}) == ["deny", "no_such_action", null]
	verdict("nobody", "heat", "room", "r0", {"tenant": "moon"}) == ["deny", "no_such_tenant", null]
	verdict("nobody", "heat", "room", "r0", {}) == ["deny", "no_such_user", null]
	verdict("ann", "open", "box", "far", {}) == ["deny", "tenant_mismatch", null]
	verdict("ann", "open", "box", "lost", {}) == ["deny", "no_such_instance", null]
}

test_a_tenant_role_grants_what_the_roles_it_extends_grant_also_on_what_is_not_there if {
	verdict("ann", "heat", "room", "r9", {}) == ["allow", "tenant_role", "roles.owner"]
	verdict("ann", "heat", "room", "nowhere", {}) == ["allow", "tenant_role", "roles.owner"]
	verdict("ann", "heat", "room", null, {}) == ["allow", "tenant_role", "roles.owner"]
	verdict("bob", "heat", "room", "r9", {}) == ["deny", "no_permission", null]
}

test_a_tenant_role_of_another_tenant_grants_nothing if {
	verdict("ann", "heat", "room", null, {"tenant": "away"}) == ["deny", "no_permission", null]
}

test_a_role_on_an_instance_answers_for_it_alone_and_never_for_the_type if {
	verdict("ann", "enter", "room", "r0", {}) == ["allow", "instance_role", "resources.room.roles.keeper"]
	verdict("ann", "enter", "room", null, {}) == ["deny", "no_permission", null]
	verdict("bob", "enter", "room", "r0", {}) == ["deny", "no_permission", null]
}

test_a_role_is_derived_16_relations_away_and_no_farther_and_circles_end if {
	verdict("ann", "paint", "room", "r16", {}) == ["allow", "instance_role", "resources.room.roles.keeper"]
	verdict("ann", "paint", "room", "r17", {}) == ["deny", "no_permission", null]
	verdict("ann", "open", "box", "light", {}) == ["allow", "instance_role", "resources.box.roles.keeper"]
	verdict("ann", "open", "box", "heavy", {}) == ["deny", "no_permission", null]
}

test_the_chain_says_what_was_given_and_how_far_away if {
	ask("ann", "paint", "room", "r2", {}).because == [
		"user ann has role keeper on room:r0",
		"so user ann has role keeper on room:r2, derived in 2 steps",
		"role keeper grants room:paint (resources.room.roles.keeper)",
	]
}

test_a_direct_role_on_the_object_silences_what_would_be_derived_there if {
	verdict("cat", "paint", "room", "r1", {}) == ["deny", "no_permission", null]
	verdict("cat", "enter", "room", "r1", {}) == ["allow", "instance_role", "resources.room.roles.visitor"]
	verdict("cat", "paint", "room", "r2", {}) == ["deny", "no_permission", null]
}

test_set_rules_take_roles_sets_of_users_and_sets_of_things if {
	verdict("bob", "look", "box", "light", {}) == ["allow", "condition_set", "set_rules.0"]
	verdict("bob", "look", "box", "heavy", {}) == ["allow", "condition_set", "set_rules.1"]
	verdict("ann", "look", "box", "light", {}) == ["deny", "no_permission", null]
	verdict("ann", "move", "box", "light", {"user_attributes": {"height": 190}}) == ["allow", "condition_set", "set_rules.2"]
	verdict("ann", "move", "box", "light", {"user_attributes": {"height": "190"}}) == ["deny", "no_permission", null]
	verdict("ann", "move", "box", "light", {}) == ["deny", "no_permission", null]
}

test_attributes_of_the_check_count_over_stored_ones_and_on_a_type_alone if {
	verdict("bob", "look", "box", "light", {"resource_attributes": {"grams": 1000}}) == ["deny", "no_permission", null]
	verdict("bob", "look", "box", null, {"resource_attributes": {"grams": 999}}) == ["allow", "condition_set", "set_rules.0"]
	verdict("bob", "look", "box", null, {}) == ["deny", "no_permission", null]
}

test_what_is_built_in_cannot_be_claimed if {
	permit.user_scope(0).key == "ann" with input as {
		"slot": "slot",
		"checks": [{"user": "ann", "tenant": "home", "user_attributes": {"key": "bob", "roles": ["owner"], "x": 1}}],
	}
		with data.facts as {"slot": facts}
}

test_arguments_of_a_call_stand_in_a_name_space_of_their_own if {
	verdict("bob", "move", "box", "heavy", {"call": {"metres": 4}}) == ["allow", "condition_set", "set_rules.3"]
	verdict("bob", "move", "box", "heavy", {"call": {"metres": 5}}) == ["deny", "no_permission", null]
	verdict("bob", "move", "box", "heavy", {}) == ["deny", "no_permission", null]
	verdict("bob", "move", "box", "heavy", {"call": {"height": 200, "grams": 1}}) == ["deny", "no_permission", null]
	verdict("bob", "look", "box", "heavy", {"call": {"grams": 1}})[2] == "set_rules.1"
	verdict("bob", "move", "box", "heavy", {"resource_attributes": {"metres": 4}}) == ["deny", "no_permission", null]
	verdict("bob", "move", "box", "heavy", {"call": 4}) == ["deny", "pdp_error", null]
}

test_an_approval_can_be_asked_for_by_a_role_on_the_object if {
	verdict("bob", "open", "box", "heavy", {}) == ["require_approval", "approval_needed", "operation_approvals.0"]
	verdict("bob", "open", "box", "light", {}) == ["deny", "no_permission", null]
}

test_without_its_documents_it_says_which_are_missing if {
	question := {"model": "m", "slot": "slot", "stamp": "s", "checks": []}
	permit.answer == {"rules": 2, "missing": {"model", "facts"}}
	permit.answer == {"rules": 2, "missing": {"model", "facts"}} with input as question
	permit.answer == {"rules": 2, "missing": {"model"}} with input as question with data.facts as {"slot": facts}
	permit.answer == {"rules": 2, "decisions": []} with input as question
		with data.facts as {"slot": facts}
		with data.model as {"m": model}
}

test_facts_of_another_state_are_missing_facts if {
	question := {"model": "m", "slot": "slot", "stamp": "newer", "checks": []}
	permit.answer.missing == {"facts"} with input as question
		with data.facts as {"slot": facts}
		with data.model as {"m": model}
}

test_a_check_that_cannot_be_read_is_denied if {
	permit.answer.decisions == [{"effect": "deny", "reason": "pdp_error", "rule": null, "because": []}] with input as {
		"model": "m",
		"slot": "slot",
		"stamp": "s",
		"checks": [{}],
	}
		with data.facts as {"slot": facts}
		with data.model as {"m": model}
}
