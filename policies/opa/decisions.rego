# The decision on each check of `input.checks`: the engine of src/permit_core/policy once more, rule by rule in its order.
# The first source that grants wins; when none does, a human may be asked; otherwise the answer is no.
#
# No file uses one that uses it: whoever loads them one by one, as OPAL does, finds an order.
package permit

import rego.v1

# Raised when the shape of question, answer or documents changes: who asks looks whether it is the one it knows.
rules_version := 2

answer := {"rules": rules_version, "decisions": [decision(i) | some i, _ in input.checks]} if count(missing) == 0

answer := {"rules": rules_version, "missing": missing} if count(missing) > 0

# A check is passed on by its place: what is remembered of a function is found by its arguments.
default decision(_) := {"effect": "deny", "reason": "pdp_error", "rule": null, "because": []}

decision(i) := denied("pdp_error") if {
	not readable(i)
} else := denied("no_such_resource") if {
	not type_is_there(i)
} else := denied("no_such_action") if {
	not action_is_there(i)
} else := denied("no_such_tenant") if {
	not fact_tenant(input.checks[i].tenant)
} else := denied("no_such_user") if {
	not fact_user(input.checks[i].user)
} else := denied("tenant_mismatch") if {
	instance(i).tenant != input.checks[i].tenant
} else := by_tenant_role(i) if {
	true
} else := denied("no_such_instance") if {
	input.checks[i].key != null
	not instance(i)
} else := by_instance_role(i) if {
	true
} else := by_set_rule(i) if {
	true
} else := by_approval(i) if {
	true
} else := denied("no_permission")

# Only complete checks are looked at: what is missing would make rules silent, those that deny among them.
readable(i) if {
	check := input.checks[i]
	every name in ["user", "action", "type", "tenant"] {
		is_string(check[name])
	}
	type_name(check.key) in {"string", "null"}
	every name in ["user_attributes", "resource_attributes", "context", "call"] {
		is_object(check[name])
	}
}

type_is_there(i) if model.resources[input.checks[i].type]

action_is_there(i) if input.checks[i].action in model.resources[input.checks[i].type].actions

denied(reason) := {"effect": "deny", "reason": reason, "rule": null, "because": []}

allowed(reason, rule, because) := {"effect": "allow", "reason": reason, "rule": rule, "because": because}

permission(i) := sprintf("%s:%s", [input.checks[i].type, input.checks[i].action])

by_tenant_role(i) := allowed("tenant_role", rule, because) if {
	held := tenant_roles(i)
	granting := [role | some role in model.order.roles; role in held; permission(i) in tenant_permissions(role)]
	role := granting[0]
	rule := sprintf("roles.%s", [role])
	because := [
		sprintf("user %s has role %s in tenant %s", [input.checks[i].user, role, input.checks[i].tenant]),
		sprintf("role %s grants %s (%s)", [role, permission(i), rule]),
	]
}

by_instance_role(i) := allowed("instance_role", rule, because) if {
	instance(i)
	type := input.checks[i].type
	found := holding(i, granting_roles(type, input.checks[i].action))
	rule := sprintf("resources.%s.roles.%s", [type, found.role])
	because := array.concat(held_lines(i, found), [sprintf("role %s grants %s (%s)", [found.role, permission(i), rule])])
}

by_set_rule(i) := allowed("condition_set", name, because) if {
	true_ones := [number |
		some number, rule in model.set_rules
		rule.permission == permission(i)
		in_user_set(i, rule)
		in_resource_set(i, rule)
		when_holds(i, rule)
	]
	number := true_ones[0]
	rule := model.set_rules[number]
	name := sprintf("set_rules.%d", [number])
	because := [
		sprintf("user %s is in %s", [input.checks[i].user, rule.user_set]),
		sprintf("%s is in %s", [resource_name(i), rule.resource_set]),
		sprintf("%s may %s on %s (%s)", [rule.user_set, permission(i), rule.resource_set, name]),
	]
}

in_user_set(i, rule) if {
	rule.is_role
	not contains(rule.user_set, "#")
	rule.user_set in tenant_roles(i)
}

in_user_set(i, rule) if {
	rule.is_role
	[_, role] := split(rule.user_set, "#")
	instance(i)
	holding(i, [role])
}

in_user_set(i, rule) if {
	not rule.is_role
	holds(i, model.user_sets[rule.user_set])
}

in_resource_set(_, rule) if rule.is_resource

in_resource_set(i, rule) if {
	not rule.is_resource
	holds(i, model.resource_sets[rule.resource_set])
}

# What a rule asks for beside its sets, where it asks for anything.
when_holds(_, rule) if not rule.when

when_holds(i, rule) if holds(i, rule.when)

by_approval(i) := {"effect": "require_approval", "reason": "approval_needed", "rule": name, "because": because} if {
	instance(i)
	some number, rule in model.operation_approvals
	rule.resource == input.checks[i].type
	rule.operation == input.checks[i].action
	found := holding(i, rule.asked_by)
	name := sprintf("operation_approvals.%d", [number])
	because := array.concat(held_lines(i, found), [sprintf("that role may ask for %s once (%s)", [permission(i), name])])
}

held_lines(i, found) := array.concat(given, derived) if {
	check := input.checks[i]
	[type, key, role] := found.given
	given := [sprintf("user %s has role %s on %s:%s", [check.user, role, type, key])]
	derived := [line |
		found.steps > 0
		words := [check.user, found.role, resource_name(i), found.steps]
		line := sprintf("so user %s has role %s on %s, derived in %d steps", words)
	]
}

resource_name(i) := input.checks[i].type if {
	input.checks[i].key == null
} else := sprintf("%s:%s", [input.checks[i].type, input.checks[i].key])
