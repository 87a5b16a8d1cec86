"""A shelf of harnesses: adapters to models and agent SDKs. A book never imports its neighbour."""
