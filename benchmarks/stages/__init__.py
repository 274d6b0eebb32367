"""What each stage beside the network costs, alone, and how many cores of it a GPU's speed takes."""
