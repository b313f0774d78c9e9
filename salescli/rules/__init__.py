"""Pure rules, which open nothing.

closing — closed months: which can be, and the first open day after them
course — how a recurring order goes on with each payment, until it is over
formulas — texts that a spreadsheet would compute, harmless in CSV and read back
happened — times given for what happened: past, and not before what it follows
instalments — when the parts of a price are due
lifecycle — statuses, which may follow which, and the actions each allows
money — amounts in minor units, percentages, fees, exchange rates
names — names compared and sorted as people do
numbers — record numbers, counts with plurals
permissions — permissions, predefined roles, the acting user
sale_shares — what part of their sales a user earns, from which day on
schedule — when recurring payments are due and retried
suggest — what a mistyped word may mean
text — cleans and checks text from outside
time — instants in UTC, the account's zone, days and periods
"""
