"""What the served path is compared with, each behind ``call``, which fetches or computes one frame."""
