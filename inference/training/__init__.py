"""Making the bundled models; the service never imports this package."""
