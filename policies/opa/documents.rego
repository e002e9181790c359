# What is decided on: a policy model and one state of the facts, both pushed as data. No other file names `data.model` or
# `data.facts`.
#
# The question names the model by its digest and the facts by their stamp: an answer can be about no other state than the
# one that was asked about. A few states of the facts are kept, each in its slot, because processes that read an older one
# or are about to commit a newer one ask at the same time.
package permit

import rego.v1

# A document says its own name again: looking at it is cheap, however large the document is.
missing contains "model" if not data.model[input.model].digest == input.model

missing contains "facts" if not data.facts[input.slot].stamp == input.stamp

model := data.model[input.model]

fact_tenant(key) if data.facts[input.slot].tenants[key]

fact_user(key) := data.facts[input.slot].users[key]

fact_instance(type, key) := data.facts[input.slot].instances[type][key]

# The roles that were given tenant-wide.
fact_tenant_roles(user, tenant) := data.facts[input.slot].held[user][tenant].everywhere

# The roles that were given on this very instance.
fact_roles_on(user, tenant, type, key) := data.facts[input.slot].held[user][tenant].on[type][key]

# Who stands in a relation to an instance: a list of [type, key].
fact_subjects(type, key, relation) := data.facts[input.slot].subjects[type][key][relation]
