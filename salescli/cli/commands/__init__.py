"""The commands, a file for each group; independent of each other."""
