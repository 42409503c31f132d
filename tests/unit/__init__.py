"""What takes values and gives values: no process, no server."""
