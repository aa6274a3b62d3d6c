"""From CT slices to scores with their explanation. Start at `analyse.py`."""
