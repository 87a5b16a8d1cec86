"""Steps: a piece of work done at most once per key, and the journal that it asks first."""
