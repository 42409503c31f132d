"""The way to AWS: connecting, logging in, calling, retrying, rate limits, and what errors mean."""
