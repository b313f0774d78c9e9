"""Pure rules: money, time, schedule, lifecycle, permissions, text. Opens nothing."""
