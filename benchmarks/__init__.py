"""What the project is measured by, each figure by one command."""
