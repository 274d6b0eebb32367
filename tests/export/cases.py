"""Small videos of the drawn character, as users have had them; what is right for each stands in the tests."""

from pathlib import Path

CASES = Path(__file__).parents[1] / "cases"
