"""Everything that moves money: payments, refunds, due payments, tick, recovery, limits, simulation.

pay — take a payment of an order
by_hand — payments and orders that a person confirms, declines or resolves
sell — an order, its payment and its confirmation in one
credit — pay an order with what its customer paid above the price
refund — pay money back
undo — take back what a person recorded
calls — the calls to gateways: charge, refund, look up
elsewhere — what another copy of the database may have done
moved_there — record what moved at a payment system without us
gateway_sync — look up refunds, disputes and late successes at payment systems
settle — record the outcomes of calls
batch — the orders of charges that are settled together, and what becomes of them
believe — what an answer is taken for
due_payments — claim, call and settle the payments that are due
recover — look up the attempts that were left under way
fees — look up fees that were unknown at the payment
card_expiry — the cards that expire before a planned payment
gateway_check — the test charge of a payment system
limits — charging off and on, the most per tick and per day
tick_log — when tick ran, and whether the clock can be trusted
gateway_calls — the calls of a tick that are under way, and how many more may begin
left_due — what a tick left due, and why
tick — one run: recover, then charge what is due
simulate — tick on a copy of the database that moves no money
"""
