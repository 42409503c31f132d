"""When an environment or a fleet ends: what the spec says, what the tags say, and what follows from both."""
