"""The cassette as text: canonical form, a fast path for it, strict YAML for files that people edited."""
