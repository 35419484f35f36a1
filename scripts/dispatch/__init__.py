"""Sending and collecting: which requests are due, in which shards and when, and what came back."""
