"""What comes from outside, and means harm or is broken."""
