"""Every interleaving of the launch protocol, within bounds, over a model of what EC2 does with tokens."""
