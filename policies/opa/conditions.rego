# Conditions on what is known of user, resource and environment.
#
# Rules may not call themselves, so a condition comes flat (src/permit_core/decision/opa_conditions.py): a list of nodes, each
# with the layer it stands on. Comparisons are layer 0, all others stand above what they are made of. Negations have been
# moved down to comparisons and matches, which changes no verdict.
#
# A match looks into objects. What `resource.` means in its inner nodes is a scope of its own, one for each object; a scope
# is named by the way to it, [match, place, match, place, ...], and the outermost by [].
package permit

import rego.v1

# Only what is certainly true holds.
holds(i, set) if verdict(i, set.condition) == true

verdict(i, condition) := verdicts[[[], condition.root]] if {
	scopes := all_scopes(i, condition)
	v0 := {[way, id]: compared_in(i, thing, condition.nodes[id]) |
		some way, thing in scopes
		some id in condition.layers[0]
		condition.nodes[id].within == owner(way)
	}
	v1 := raised(i, condition, scopes, 1, v0)
	v2 := raised(i, condition, scopes, 2, v1)
	v3 := raised(i, condition, scopes, 3, v2)
	v4 := raised(i, condition, scopes, 4, v3)
	v5 := raised(i, condition, scopes, 5, v4)
	v6 := raised(i, condition, scopes, 6, v5)
	v7 := raised(i, condition, scopes, 7, v6)
	v8 := raised(i, condition, scopes, 8, v7)
	v9 := raised(i, condition, scopes, 9, v8)
	v10 := raised(i, condition, scopes, 10, v9)
	v11 := raised(i, condition, scopes, 11, v10)
	v12 := raised(i, condition, scopes, 12, v11)
	v13 := raised(i, condition, scopes, 13, v12)
	v14 := raised(i, condition, scopes, 14, v13)
	v15 := raised(i, condition, scopes, 15, v14)
	verdicts := raised(i, condition, scopes, 16, v15)
}

# The verdicts of one more layer, beside those below it.
raised(i, condition, scopes, layer, below) := object.union(below, {[way, id]: joined(i, scopes, below, way, id, condition.nodes[id]) |
	some id in condition.layers[layer]
	some way, _ in scopes
	condition.nodes[id].within == owner(way)
}) if {
	condition.layers[layer]
} else := below

joined(_, _, below, way, _, node) := all_of([object.get(below, [[way, part]], null) | some part in node.parts]) if node.is == "all"

joined(_, _, below, way, _, node) := any_of([object.get(below, [[way, part]], null) | some part in node.parts]) if node.is == "any"

joined(i, scopes, below, way, id, node) := turned(node, matched(i, scopes, below, way, id, node)) if node.is == "match"

# An empty list proves nothing: neither any nor all of it matches. A missing object, and what is no object, is unknown.
matched(i, scopes, below, way, id, node) := among(node.which, verdicts) if {
	items := looked_at(i, scopes[way], node)
	count(items) > 0
	verdicts := [object.get(below, [[array.concat(way, [id, place]), node.inner]], null) | some place, _ in items]
} else := null

among("any_match", verdicts) := any_of(verdicts)

among("all_match", verdicts) := all_of(verdicts)

among("object_match", verdicts) := verdicts[0]

turned(node, outcome) := negated(outcome) if {
	node.negated
} else := outcome

all_of(verdicts) := false if {
	false in verdicts
} else := null if {
	null in verdicts
} else := true

any_of(verdicts) if {
	true in verdicts
} else := null if {
	null in verdicts
} else := false

compared_in(i, thing, node) := turned(node, compared(node.operator, attribute(i, thing, node.left), right)) if {
	right := operand(i, thing, node.right)
}

operand(_, _, right) := right.value

operand(i, thing, right) := attribute(i, thing, right) if right.of

# Scopes: what `resource.` can mean, and on how many levels.

all_scopes(i, condition) := object.union_n([s0, s1, s2, s3, s4]) if {
	s0 := {[]: resource_scope(i)}
	s1 := scopes_within(i, condition, s0)
	s2 := scopes_within(i, condition, s1)
	s3 := scopes_within(i, condition, s2)
	s4 := scopes_within(i, condition, s3)
}

scopes_within(i, condition, scopes) := {array.concat(way, [id, place]): thing |
	some id in condition.matches
	some way, outer in scopes
	condition.nodes[id].within == owner(way)
	some place, item in looked_at(i, outer, condition.nodes[id])
	thing := object_of(i, condition.nodes[id], item)
}

# The match whose inner nodes are evaluated in a scope; -1 outermost.
owner(way) := -1 if {
	count(way) == 0
} else := way[count(way) - 2]

# The values a match looks at: one, or those of a list.
looked_at(i, thing, node) := [attribute(i, thing, node.left)] if {
	node.which == "object_match"
} else := value if {
	value := attribute(i, thing, node.left)
	is_array(value)
} else := []

# The object behind a value: itself, or the stored instance of this tenant whose key it is. Undefined when there is none.
object_of(_, node, item) := item if {
	not node.of_type
	is_object(item)
}

object_of(i, node, item) := over(built_in, stored.attributes) if {
	is_string(item)
	stored := fact_instance(node.of_type, item)
	stored.tenant == input.checks[i].tenant
	built_in := {"type": node.of_type, "key": item, "tenant": stored.tenant}
}

attribute(i, _, name) := object.get(user_scope(i), name.names, null) if name.of == "user"

attribute(_, thing, name) := object.get(thing, name.names, null) if name.of == "resource"

attribute(i, _, name) := object.get(input.checks[i].context, name.names, null) if name.of == "environment"

# A tool's arguments, as a model wrote them: a name space of their own, laid over nothing.
attribute(i, _, name) := object.get(input.checks[i].call, name.names, null) if name.of == "call"

# Stored attributes, those of the check over them, and the built-in ones over both: they cannot be claimed.
user_scope(i) := over(built_in, over(input.checks[i].user_attributes, user.attributes)) if {
	user := fact_user(input.checks[i].user)
	built_in := {
		"key": input.checks[i].user,
		"email": user.email,
		"first_name": user.first_name,
		"last_name": user.last_name,
		"roles": tenant_roles(i),
	}
}

resource_scope(i) := over(built_in, over(input.checks[i].resource_attributes, stored_attributes(i))) if {
	built_in := {"type": input.checks[i].type, "key": input.checks[i].key, "tenant": input.checks[i].tenant}
}

stored_attributes(i) := attributes if {
	attributes := instance(i).attributes
} else := {}

# One object laid over another. Not object.union: it would also merge what is inside.
over(above, below) := object.union(object.remove(below, object.keys(above)), above)
