"""Where endpoints come from: static, a file, DNS, Redis, PostgreSQL, or a class of your own."""
