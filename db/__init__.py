"""State, results and audit in SQL. Start at `states.py`."""
