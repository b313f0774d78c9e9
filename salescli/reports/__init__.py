"""Money by dimension and period, from facts or totals, tied out.

report — the reports there are, and statements of them with total and tie-out
dimensions — what a report may be split by
periods — day, week, month, quarter, year, and which totals make up a range of days
questions — what is asked of a report
by_rows — the definition: the query over orders, invoices and refunds
by_facts — the same answers from the narrow table that triggers keep
by_totals — the same answers from the totals of months
earned — what managers earn of confirmed sales
shops — reports of several databases, added up
comparison — a report beside the period before
recurring — how many recurring orders are active, and what they are worth a month
gathered — several questions of the same facts, which are read once
"""
