"""Inputs as they are found in the field. Each file of tests has one kind of them."""
