"""A site's cases as training and evaluation take them: a versioned folder of slices and what is known of each patient."""
