"""The commands of researchers: cohort, dataset, training, evaluation, validation. The service imports none of it."""
