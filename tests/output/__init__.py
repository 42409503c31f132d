"""What comes out of the program, whatever goes in: hostile values, secrets, and outputs that fail."""
