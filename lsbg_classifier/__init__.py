"""One sky position, one cutout, one probability of being a low-surface-brightness galaxy."""
