"""Train an audio encoder and a U-Net 328 together on the takes of one person; ``python -m export train``."""
