"""What requests cost: the ledger of what was sent, prices, the budget and the books of a run."""
