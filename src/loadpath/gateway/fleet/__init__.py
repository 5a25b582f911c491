"""Several gateways as one: workers share ports, health and orders; a supervisor keeps them."""
