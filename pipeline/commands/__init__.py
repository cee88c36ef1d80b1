"""The subcommands of ``lsbg``: each translates its options and calls one function."""
