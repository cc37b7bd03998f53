"""The check of citations measured: sentences of which it is known whether they are supported."""
