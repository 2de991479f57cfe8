"""Tells WebSub hubs which feeds have changed."""
