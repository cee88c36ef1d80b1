"""Mock galaxies through the whole chain, tile by tile: injected, detected, scored, counted."""
