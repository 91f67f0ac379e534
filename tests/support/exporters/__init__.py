"""Small networks as real exporters write them: the files, what the framework says on some rows, what is expected."""
