"""How the network is trained and judged."""
