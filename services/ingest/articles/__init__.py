"""Articles: workflow, store, scheduler, outbox, publication status."""
