"""Studies of what labels do for accuracy and fairness: the archives that they read, and what each of them varies."""
