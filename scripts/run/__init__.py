"""A run in its folder: its state, lock, stop file, jobs and paths."""
