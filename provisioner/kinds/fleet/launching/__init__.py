"""Launching members: never too many, over the zones evenly, of the first type that there is capacity for."""
