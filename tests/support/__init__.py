"""What several suites of tests use; no suite uses another."""
