"""All pages of a site, and checks of them."""
