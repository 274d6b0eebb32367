"""The settings in groups, one module each; ``bridge/config.py`` makes one object of them."""
