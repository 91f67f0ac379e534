"""The report: what became of every statement, as one JSON document and one page, with hashes and a signature."""
