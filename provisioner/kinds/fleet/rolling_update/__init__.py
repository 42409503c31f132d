"""Rolling updates: members restarted or replaced wave by wave."""
