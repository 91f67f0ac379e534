"""What must hold of pages that were built: links, and how a browser draws them."""
