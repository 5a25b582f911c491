"""What an operator sees and does: one page, an API, figures for Prometheus."""
