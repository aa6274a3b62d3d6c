"""Training the classifier; the service never imports this package. The models that come with the node: `embedded`."""
