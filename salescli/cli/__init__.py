"""The command line: parse, call one operation, print.

main — one run, and errors as exit codes
commands — a file for each group of commands
catalogue_group — the commands that all catalogue nouns have
importing — the options and the run that all imports have
index — every command's file and short help
bulk — the same done to several records
pages — lists and record pages
hints — what several commands say about a record beside theirs
problems — the problems of a file, shown as they come
options — options that commands share
prompts — questions on a terminal
paths — files and programs that the caller names
session — the open database, who acts, when
groups — groups that load a command when it is called
output — how rows are written
caller — who called, and the default database
"""
