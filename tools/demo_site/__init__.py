"""A small portal to look at: articles of all kinds, with pictures, for browsers, validators and the README."""
