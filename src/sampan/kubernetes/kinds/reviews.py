"""The kinds of `authorization.k8s.io` and `authentication.k8s.io`: questions that aren't kept."""

from sampan.kubernetes.kinds.record import make_review
from sampan.kubernetes.kinds.resource import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
)

SUBJECT_ACCESS_REVIEW = make_review(SUBJECT_ACCESS_REVIEWS)
LOCAL_SUBJECT_ACCESS_REVIEW = make_review(LOCAL_SUBJECT_ACCESS_REVIEWS)
SELF_SUBJECT_ACCESS_REVIEW = make_review(SELF_SUBJECT_ACCESS_REVIEWS)
SELF_SUBJECT_RULES_REVIEW = make_review(SELF_SUBJECT_RULES_REVIEWS)
SELF_SUBJECT_REVIEW = make_review(SELF_SUBJECT_REVIEWS)
TOKEN_REVIEW = make_review(TOKEN_REVIEWS)
