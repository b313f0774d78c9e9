"""Files from elsewhere: all rows or none, every bad one named."""
