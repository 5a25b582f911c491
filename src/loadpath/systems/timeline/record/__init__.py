"""What is true: users, posts, follows and the log of what happened, in PostgreSQL."""
