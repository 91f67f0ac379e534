"""Models of the parties' own: which party brings which, and what one costs before anybody runs it."""
