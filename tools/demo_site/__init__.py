"""A small sample portal with articles of all kinds and pictures, for browser tests, validators and the README."""
