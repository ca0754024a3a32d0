"""Published results: constants of their laws, and recipes of known models."""
