"""A shelf of stores: where recordings are kept. A book never imports its neighbour."""
