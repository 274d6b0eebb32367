"""bridge/metrics.py"""

from types import SimpleNamespace

from prometheus_client.parser import text_string_to_metric_families

from bridge.metrics import MAX_MODELS, OK, FrameTimes, Metrics


def samples(metrics):
    """Return every sample by name and label values."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_frames_by_model_and_outcome():
    """Frames are counted by model and outcome, and the times of answered ones are in the histogram."""
    metrics = Metrics()
    metrics.count_frame("demo", OK, 0.003)
    metrics.count_frame("demo", OK, 0.3)
    metrics.count_frame("demo", "timeout", 5.0)
    read = samples(metrics)
    assert read["lipsync_bridge_frames_total", "ok", "demo"] == 2
    assert read["lipsync_bridge_frames_total", "timeout", "demo"] == 1
    assert read["lipsync_bridge_frame_duration_seconds_count",] == 2
    assert read["lipsync_bridge_frame_duration_seconds_bucket", "0.005"] == 1


def test_clients_cannot_make_up_labels():
    """Names that never answered share one label, however many there are."""
    metrics = Metrics()
    for number in range(1000):
        metrics.count_frame(f"made-up-{number}", "unknown_model", 0.001)
    counted = {
        key: value for key, value in samples(metrics).items() if key[0] == "lipsync_bridge_frames_total"
    }
    assert counted == {("lipsync_bridge_frames_total", "unknown_model", ""): 1000}


def test_labels_have_a_limit():
    """Models that come and go make no labels without end: what is beyond the limit shares one."""
    metrics = Metrics()
    for number in range(MAX_MODELS + 50):
        metrics.count_frame(f"model-{number}", OK, 0.001)
    counted = [key for key in samples(metrics) if key[0] == "lipsync_bridge_frames_total"]
    assert len(counted) == MAX_MODELS + 1
    assert samples(metrics)["lipsync_bridge_frames_total", "ok", ""] == 50


def test_upstreams_are_read_when_asked():
    """The upstreams' samples are their state at the time of reading."""
    metrics = Metrics()
    upstream = SimpleNamespace(
        address="a:1", ready=True, inflight=2, total_requests=7, error_count=1, failing_models=["a"]
    )
    upstream.limit = SimpleNamespace(calls=4)
    metrics.watch(SimpleNamespace(upstreams=[upstream], unresolved_count=1, waiting_count=3))
    read = samples(metrics)
    assert read["lipsync_bridge_upstream_up", "a:1"] == 1
    assert read["lipsync_bridge_upstream_inflight", "a:1"] == 2
    assert read["lipsync_bridge_upstream_requests_total", "a:1"] == 7
    assert read["lipsync_bridge_upstream_errors_total", "a:1"] == 1
    assert read["lipsync_bridge_upstream_failing_models", "a:1"] == 1
    assert read["lipsync_bridge_upstream_limit", "a:1"] == 4
    assert read["lipsync_bridge_waiting",] == 3
    assert read["lipsync_bridge_dns_names_unresolved",] == 1
    upstream.ready = False
    assert samples(metrics)["lipsync_bridge_upstream_up", "a:1"] == 0


def test_two_bridges_do_not_share_metrics():
    """Each instance has a registry of its own."""
    first, second = Metrics(), Metrics()
    first.connections.inc()
    assert samples(first)["lipsync_bridge_connections",] == 1
    assert samples(second)["lipsync_bridge_connections",] == 0


def test_names():
    """Every name is lower case and says whose it is."""
    for name, *_ in samples(Metrics()):
        assert name.startswith("lipsync_bridge_")
        assert name == name.lower()


def test_frame_times():
    """Of each model the answered frames are summed up, and of nobody's nothing."""
    metrics = Metrics()
    for duration_s in (0.25, 0.5):
        metrics.count_frame("demo", OK, duration_s)
    metrics.count_frame("demo", "timeout", 5.0)
    assert metrics.frame_times("demo") == FrameTimes(count=2, total_s=0.75, min_s=0.25, max_s=0.5)
    assert metrics.frame_times("nobody").count == 0
