"""What is sent as user data: the user's own, and beside it what the instance does for us.

Only what is sent has these parts. Specs, plans, the launch tag and what is compared have the user's own, so a
part that comes or goes changes no member that is there.
"""
