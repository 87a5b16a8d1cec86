"""Recordings: what one run left, its spelling in a file, and the two journals that write and read it."""
