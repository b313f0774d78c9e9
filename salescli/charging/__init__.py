"""Everything that moves money: payments, refunds, due payments, tick, recovery, limits, simulation."""
