"""What `benchmarks/peers.py` is made of: the systems, their environments, the course, the worker, the tables."""
