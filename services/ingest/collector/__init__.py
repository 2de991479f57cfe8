"""The collector: request bodies → page events → Kafka or the spool."""
