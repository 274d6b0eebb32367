"""The product's start: Triton and bridge together, on every avatar of a model repository."""
