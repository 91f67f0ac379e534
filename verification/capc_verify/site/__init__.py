"""The site: specification, guides, evidence and code as linked pages, and the text as one PDF (``make site``)."""
