"""The settings of a node and the one place that reads them."""
