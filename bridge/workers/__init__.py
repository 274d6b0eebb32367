"""Several processes that share a bridge's ports: who starts them, and what they tell each other."""
