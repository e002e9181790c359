"""A Permit.io-compatible server, control plane and policy decision point, on the embedded policy engine."""
