"""`presstally`: one command line for a checkout, the image and an installed package."""
