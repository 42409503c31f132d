"""Guardrails: rules in Rego, as `conftest` takes them, over the JSON of a plan."""
