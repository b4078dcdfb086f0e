"""From a file of orders to the database: checking, recording in batches, jobs that survive their worker, reports."""
