"""Plans and outcomes for readers: text for people, data for programs. Pure; nothing here prints."""
