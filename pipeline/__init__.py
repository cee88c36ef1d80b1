"""A candidate catalog in, the annotated catalog out, at the scale of a survey."""
