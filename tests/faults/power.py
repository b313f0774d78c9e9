"""Power loss."""

LOSE_NOTHING = (("delete", 3), ("wal", 2), ("wal", 3))
