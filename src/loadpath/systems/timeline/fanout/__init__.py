"""From the record's log into the rings: who follows whom, the rings, and their one writer."""
