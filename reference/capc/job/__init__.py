"""The main job: split data, train, label queries through the real protocol, retrain, report. Prints nothing itself."""
