"""EC2 fleets, IAM roles and instance profiles from one declarative YAML spec."""

__version__ = "0.3.0"
