"""What runs costs: what is paid for, AWS's prices of it, and the sum. Only `lookup.py` asks AWS."""
