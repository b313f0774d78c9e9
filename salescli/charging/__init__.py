"""Everything that moves money: payments, refunds, due payments, tick, recovery, limits, simulation.

pay — take a payment of an order
by_hand — what a person says of money: confirmed, declined, resolved
refund — pay money back
calls — what is asked of a gateway, and what it knows already
elsewhere — what another copy of the database may have done
moved_there — record what moved at a payment system without us
gateway_sync — ask payment systems for refunds, disputes and late successes
settle — record what became of a call
due_payments — claim, call and settle the payments that are due
recover — look up what was left under way
fees — ask for fees that were not known at the payment
limits — charging off and on, the most per tick and per day
tick_log — when tick ran, and whether the clock can be trusted
tick — one run: recover, then charge what is due
simulate — tick on a copy that can charge nobody
"""
