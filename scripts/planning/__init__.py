"""What a run would send, cost and show, before anything is spent."""
