"""From any spec to any other, whatever others did in between."""
