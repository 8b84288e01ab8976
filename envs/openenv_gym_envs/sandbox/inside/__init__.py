"""What runs inside of a sandbox. Standard library only."""
