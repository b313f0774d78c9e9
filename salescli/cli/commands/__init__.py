"""The commands, a file for each group, independent of each other; ``cli.index`` says which command is in which file."""
