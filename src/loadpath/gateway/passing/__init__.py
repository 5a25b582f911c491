"""What changes in a message on its way through: fields, addresses, traces, problems. Pure."""
