"""The plugin: the only room where pytest is known."""
