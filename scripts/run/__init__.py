"""A run in its folder: its state, lock, stop sentinel, jobs and where its files lie."""
