"""Tables of text: each row is the input's bytes, with our cells at its end."""
