"""The data plane: connections of clients, and each request's way to an upstream and back."""
