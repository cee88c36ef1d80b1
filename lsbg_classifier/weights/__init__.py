"""Weight sets: a card, and the weights it describes."""
