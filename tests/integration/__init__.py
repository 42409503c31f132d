"""The whole program on the local AWS, and the local AWS itself."""
