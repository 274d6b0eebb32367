"""benchmarks/gpu/budget.py"""

from benchmarks.gpu.budget import Budget, Step


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_a_step_gets_its_share_or_what_is_left():
    """Early steps get their share, late ones what is left, and one with too little is not begun."""
    clock = Clock()
    budget, step = Budget(480, clock), Step("parity", "module", 0.25)
    assert budget.limit_s(step) == 120
    clock.now_s += 400
    assert (budget.used_s, budget.left_s) == (400, 75)
    assert budget.limit_s(step) == 75
    clock.now_s += 46
    assert budget.limit_s(step) is None  # 29 s of 120 are less than a quarter
    clock.now_s += 100
    assert budget.limit_s(step) is None


def test_the_reserve_of_a_short_run():
    """A short run keeps a tenth back, so that it has time at all."""
    assert Budget(20, Clock()).left_s == 18
