"""bridge/workers/team.py"""

from bridge.workers.team import Team


def test_alone():
    """One that has no siblings counts for itself, and knows no rates."""
    team = Team()
    team.note(3, 0.5)
    team.note_rate("echo 1", 100.0)
    assert (team.size, team.has_others, team.session_count, team.promised_share) == (1, False, 3, 0.5)
    assert team.rate_of("echo 1") is None
    assert Team().session_count == 0


def test_what_the_others_have(tmp_path):
    """Sessions and shares are those of all; each tells its own."""
    sessions, promised = [0.0] * 3, [0.0] * 3
    teams = [Team(index, sessions, promised, tmp_path) for index in range(3)]
    teams[0].note(2, 0.25)
    teams[2].note(1, 0.5)
    teams[0].note(1, 0.125)
    assert all(team.session_count == 2 and team.promised_share == 0.625 for team in teams)


def test_rates(tmp_path):
    """What one measured of a clip, the others know, under whatever name; a damaged file is no rate."""
    first, second = (Team(index, [0.0] * 2, [0.0] * 2, tmp_path) for index in range(2))
    assert second.rate_of("../echo 1") is None
    first.note_rate("../echo 1", 812.5)
    assert second.rate_of("../echo 1") == 812.5
    assert second.rate_of("echo 2") is None
    (rate_file,) = tmp_path.glob("*.rate")
    rate_file.write_text("")
    assert second.rate_of("../echo 1") is None
