"""Who and what there is: users, tenants, instances, roles, relationships."""
