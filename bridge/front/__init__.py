"""The connections of browsers and services: bytes to requests, each in its turn, within bounds."""
