"""What keeps a party from working, or soon will: every line with its remedy. Nothing is changed."""

from party.doctor.examination import examine
from party.doctor.finding import Finding, State, worst

__all__ = ["Finding", "State", "examine", "worst"]
