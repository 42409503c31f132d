"""Whether AWS would let a plan's calls be made, asked before any of them is."""
