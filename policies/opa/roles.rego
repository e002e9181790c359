# Which roles grant an action, and which roles a user holds on an instance, given there or derived along relations.
package permit

import rego.v1

tenant_roles(i) := roles if {
	roles := fact_tenant_roles(input.checks[i].user, input.checks[i].tenant)
} else := []

# The roles given on this very instance.
roles_on(i, type, key) := roles if {
	roles := fact_roles_on(input.checks[i].user, input.checks[i].tenant, type, key)
} else := []

# A role has its own permissions and those of every role it extends, near or far.
tenant_extends := {role: body.extends | some role, body in model.roles}

tenant_permissions(role) := {permission |
	some base in graph.reachable(tenant_extends, {role})
	some permission in model.roles[base].permissions
}

resource_extends(type) := {role: body.extends | some role, body in model.resources[type].roles}

# The actions of a role of a type; a policy may name them bare or as `type:action`.
role_actions(type, role) := {trim_prefix(permission, sprintf("%s:", [type])) |
	some base in graph.reachable(resource_extends(type), {role})
	some permission in model.resources[type].roles[base].permissions
}

# In the order of the policy file.
granting_roles(type, action) := [role | some role in model.order.resources[type]; action in role_actions(type, role)]

# The nearest way in which the user holds one of `roles` on the instance; undefined when there is none. Among equally near
# ones the first of `roles`.
holding(i, roles) := {"role": roles[place], "steps": steps, "given": given} if {
	[steps, place] := min([[distance(i, role), place] | some place, role in roles])
	role := roles[place]
	given := min([node | some node in levels(i, role)[steps]; is_given(i, node)])
}

distance(i, role) := 0 if {
	role in roles_on(i, input.checks[i].type, input.checks[i].key)
} else := min({steps | some steps, level in levels(i, role); some node in level; is_given(i, node)})

# A node is [type, key, role].
is_given(i, node) if node[2] in roles_on(i, node[0], node[1])

# What would give the role, one relation farther away at each place of the list, and 16 at most (MAX_STEPS of
# src/permit_core/policy/relations.py). A node stands in the list once, so circles end by themselves.
#
# Rules may not call themselves, so the steps are written out; a step from nothing costs next to nothing.
levels(i, role) := [l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, l12, l13, l14, l15, l16] if {
	l0 := {[input.checks[i].type, input.checks[i].key, role]}
	l1 := farther(i, l0, l0)
	s1 := l0 | l1
	l2 := farther(i, l1, s1)
	s2 := s1 | l2
	l3 := farther(i, l2, s2)
	s3 := s2 | l3
	l4 := farther(i, l3, s3)
	s4 := s3 | l4
	l5 := farther(i, l4, s4)
	s5 := s4 | l5
	l6 := farther(i, l5, s5)
	s6 := s5 | l6
	l7 := farther(i, l6, s6)
	s7 := s6 | l7
	l8 := farther(i, l7, s7)
	s8 := s7 | l8
	l9 := farther(i, l8, s8)
	s9 := s8 | l9
	l10 := farther(i, l9, s9)
	s10 := s9 | l10
	l11 := farther(i, l10, s10)
	s11 := s10 | l11
	l12 := farther(i, l11, s11)
	s12 := s11 | l12
	l13 := farther(i, l12, s12)
	s13 := s12 | l13
	l14 := farther(i, l13, s13)
	s14 := s13 | l14
	l15 := farther(i, l14, s14)
	s15 := s14 | l15
	l16 := farther(i, l15, s15)
}

farther(i, level, seen) := {node | some from in level; some node in premises(i, from)} - seen

# What would give a role on an instance, one relation back.
premises(i, node) := {[rule.on_resource, subject[1], rule.role] |
	[type, key, role] := node
	derivation := model.resources[type].roles[role].granted_to
	some rule in derivation.users_with_role
	not withheld(i, type, key, derivation, rule)
	some subject in fact_subjects(type, key, rule.linked_by_relation)
	subject[0] == rule.on_resource
}

# A role given on the very object can silence what would be derived there.
withheld(i, type, key, derivation, _) if {
	derivation.when.no_direct_roles_on_object
	count(roles_on(i, type, key)) > 0
}

withheld(i, type, key, _, rule) if {
	rule.when.no_direct_roles_on_object
	count(roles_on(i, type, key)) > 0
}
