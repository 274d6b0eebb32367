"""WebSocket bridge to Triton: frames for browsers, balancing, health, metrics and the page."""
