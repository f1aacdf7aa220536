"""Diagnosis: what went wrong or well in a run, in words, with evidence and what to try next.

It writes nothing but a word into run.json, where ``keep`` is called. It must not know how
anything is shown.
"""

from backproplab.diagnosis.case import Case
from backproplab.diagnosis.table import RULES, Level, Rule
from backproplab.diagnosis.verdict import Diagnosis, Finding, diagnose, finish, keep, verdict

__all__ = [
    "RULES",
    "Case",
    "Diagnosis",
    "Finding",
    "Level",
    "Rule",
    "diagnose",
    "finish",
    "keep",
    "verdict",
]
