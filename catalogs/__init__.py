"""Tables on disk: which columns are the position, and how columns join without harm to the rest."""
