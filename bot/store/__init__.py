"""The database: tables, queries, the queue and the one commit of a turn."""
