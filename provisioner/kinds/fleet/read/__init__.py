"""What comparing a fleet needs beyond its members, read from AWS."""
