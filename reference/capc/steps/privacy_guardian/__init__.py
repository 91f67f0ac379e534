"""The privacy guardian's steps."""

from capc.steps.privacy_guardian.aggregation import privacy_guardian_aggregate
from capc.steps.privacy_guardian.external import privacy_guardian_enter_release, privacy_guardian_take_answered
from capc.steps.privacy_guardian.party import PrivacyGuardian, privacy_guardian_open_query
from capc.steps.privacy_guardian.release import privacy_guardian_read_answered, privacy_guardian_release
from capc.steps.privacy_guardian.setup import (
    privacy_guardian_answer_setup,
    privacy_guardian_begin_setup,
    privacy_guardian_finish_setup,
)

__all__ = [
    "PrivacyGuardian",
    "privacy_guardian_aggregate",
    "privacy_guardian_answer_setup",
    "privacy_guardian_begin_setup",
    "privacy_guardian_enter_release",
    "privacy_guardian_finish_setup",
    "privacy_guardian_open_query",
    "privacy_guardian_read_answered",
    "privacy_guardian_release",
    "privacy_guardian_take_answered",
]
