"""How many galaxies come back: mocks matched with detections, counted, and modelled."""
