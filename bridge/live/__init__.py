"""Live speech: sound in, talking face out, over one WebSocket a session."""
