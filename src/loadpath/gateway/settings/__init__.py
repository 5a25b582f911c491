"""What `gateway.toml` says, one module for each of its parts."""
