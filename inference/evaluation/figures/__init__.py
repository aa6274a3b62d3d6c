"""The pictures of a report: SVG, the same bytes for the same numbers."""
