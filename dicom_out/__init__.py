"""Result objects and the way to the PACS. Start at `encode.py`."""
