"""Settings of a fleet's members: a row for each, and what is compared, remembered and changed by the rows."""
