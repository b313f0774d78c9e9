"""A shop in a file of SQLite's.

backup — checked copies, and which old ones are deleted
beside — a long write on a copy, which then takes the file's place
connection — open a file with checks and pragmas
restore — replaces the file with a backup
upgrade — brings an older file to this version, on a checked copy first
"""
