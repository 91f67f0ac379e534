"""Cases of worked examples."""
