"""Avatar folders, and the model-repository entries, configs and strategies that Triton serves them by."""
