"""A fleet's difference: what to do so that it is as the spec says."""
