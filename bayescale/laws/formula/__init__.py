"""A law that a user writes as a formula: parsed, never run as Python, and sampled by the roles that its structure gives."""
