"""What others have published: constants of their laws, and recipes of known models."""
