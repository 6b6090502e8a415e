"""One flow a file: a turn in, a decision out."""
