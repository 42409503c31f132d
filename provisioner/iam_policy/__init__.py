"""IAM policy documents: their grammar, and comparing them by meaning."""
