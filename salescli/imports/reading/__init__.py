"""Files as people have them become a header and rows of texts in our own forms.

amounts — amounts as people write them
conventions — how the cells of a column are written: stated, or found by what fits all of them
dates — dates as people write them
encodings — which encoding a file is in, and its bytes as UTF-8
files — the bytes of a file, or of a pipe that is first read to its end
layout — the encoding, the line ends, the delimiter and the header's line
lines — lines of text for csv, hashed and counted
options — what a person says about a file: its encoding, delimiter, amounts and dates
survey — the first of two readings: what all the rows tell
tables — the door: a file becomes a table whose rows can be read
workbooks — the rows of a sheet of XLSX or ODS, by the types of their cells
"""
