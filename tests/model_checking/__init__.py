"""All interleavings of the protocol by which members are launched."""
