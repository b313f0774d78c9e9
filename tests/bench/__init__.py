"""Measurements, as ratios against a limit or a peer in one run; nothing here is asserted by a test."""
