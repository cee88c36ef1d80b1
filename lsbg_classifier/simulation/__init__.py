"""Simulated survey images, and the candidates that a search would find in them."""
