"""The command line: parse, call one operation, print.

main — one run, and errors as exit codes
commands — a file for each group of commands
catalogue_group — the commands that all catalogue nouns have
importing — the options and the run of every import
mapping_dialogue — a file of an unknown shop, asked about on a terminal
index — the file and the short help of every command
bulk — one action on several records
record_page — a record with the lists of what belongs to it
pages — lists
report_request — reports as a command asks for them
hints — hints that several commands print
reconcile_advice — what to do about a finding of ``reconcile``
problems — problems in a file, shown as they are found
schema — JSON Schema of what --json writes
telling — hooks told, as tick and notify do
results — what a command changed, as JSON or numbers
options — options that commands share
prompts — questions on a terminal
paths — files and programs that the caller names
session — the open database, who acts, when
misheard — which command is meant by a word that is none
completing — completion of numbers and names in a shell
configuration — the configuration file
groups — groups that load a command when it is called
output — how rows are written
remote_files — files of this machine for a command on another one
remote — the same command on the machine that has the database
caller — who called, and the default database
"""
