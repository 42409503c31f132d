"""Volumes of members: what EC2 takes, what is attached, and what is changed about them."""
