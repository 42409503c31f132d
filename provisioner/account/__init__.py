"""What an account has of all environments, by tags and IAM paths alone: no spec is read here."""
