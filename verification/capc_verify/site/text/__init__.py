"""What is done to the texts of the repository before they are pages."""
