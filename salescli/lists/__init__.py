"""What each list shows and filters by, and the SQL of a page. Changes nothing."""
