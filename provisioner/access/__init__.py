"""Ways in: what SSH and Ansible need to know of the members that run, as text and data. All of it pure."""
