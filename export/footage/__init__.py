"""Dataset folders, packages and videos, each read into the same stream of frames with its speech and sound."""
