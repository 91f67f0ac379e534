"""Pages and figures for people, made from the JSON document of a report or a study and from nothing else."""
