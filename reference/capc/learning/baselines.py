"""stub"""

from enum import StrEnum


class Baseline(StrEnum):
    SELF_TRAINING = "self_training"
    NOISELESS = "noiseless"
    POOLED = "pooled"
    PATE = "pate"
    DP_SGD = "dp_sgd"
