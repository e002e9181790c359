# What is decided on: a policy model and one state of the facts, both pushed as data. No other file names `data.model` or
# `data.facts`.
#
# The question names the model by its digest and the facts by their stamp: an answer can be about no other state than the
# one that was asked about. A few states of the facts are kept, each in its slot, because processes that read an older one
# or are about to commit a newer one ask at the same time.
package permit

import rego.v1

missing contains "model" if not model_is_there

missing contains "facts" if not facts_are_there

# A document says its own name again: looking at it is cheap, however large the document is.
model_is_there if data.model[input.model].stamp == input.model

facts_are_there if data.facts[input.slot].stamp == input.stamp

model := data.model[input.model]

fact_tenant(key) if data.facts[input.slot].tenants[key]

fact_user(key) := data.facts[input.slot].users[key]

fact_instance(type, key) := data.facts[input.slot].instances[type][key]

# The instance a check is about, whatever its tenant.
instance(i) := fact_instance(input.checks[i].type, input.checks[i].key)

# The roles that were given tenant-wide.
fact_tenant_roles(user, tenant) := data.facts[input.slot].held[user][tenant].everywhere

# The roles that were given on this very instance.
fact_roles_on(user, tenant, type, key) := data.facts[input.slot].held[user][tenant].on[type][key]

# Who stands in a relation to an instance: a list of [type, key].
fact_subjects(type, key, relation) := data.facts[input.slot].subjects[type][key][relation]
