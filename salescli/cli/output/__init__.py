"""Write rows: the same formats for all lists, records and reports.

contract — the output options, and raw values as text
render — writes rows in the wanted format
table — tables for people, and one record as lines
fit — which columns of a table fit the terminal, and how far texts are cut
fold — long lines for a person, broken between words
markdown — Markdown tables
csv — CSV without formulas
json — a list of objects, or one on each line
page — pages for a browser
page_style — the style sheet of pages, and the policy that allows nothing else
browser — shows a page that was written
workbook — workbooks for spreadsheet programs
report_cover — what a report says of itself, in workbooks and on pages
report_page — the page of a report
svg — drawings of pages
report_workbook — the workbook of a report
footer — the sums under a list
report_footer — the totals of a report and what they are made of
chart — what is drawn of a report, and bars in the terminal
stacks — what is drawn over time: a column for each period
stack_lines — columns over time in the terminal
destination — stdout, or a file that is replaced when all is written
read_ahead — output that waits for no reader with the database locked
pager — a pager for what is taller than the terminal
terminal — lines for a person, text widths, control characters
"""
