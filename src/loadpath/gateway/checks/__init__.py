"""What makes settings contradict themselves, one module for each part of them."""
