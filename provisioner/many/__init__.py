"""Commands on many environments at once: which specs, one outcome each, one report and one exit code."""
