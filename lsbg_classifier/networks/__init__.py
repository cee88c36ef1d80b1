"""The networks that a card may name as its architecture; each has a module of its own."""
