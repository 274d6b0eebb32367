"""bridge/grpc_service/packages.py"""

import asyncio
import os

import onnx
import pytest
import torch

from bridge.balancer import Balancer
from bridge.errors import ImportFailed, PackageRefused
from bridge.grpc_service.packages import PackageLoader, allowed_folder
from export.network.compact import store_half
from export.network.onnx_model import export_network
from export.network.unet import UNet
from tests.bridge.helpers import config_for
from tests.export.sources import FRAMES, edit_json, write_package


@pytest.fixture(scope="module")
def weights():
    """The ONNX file of an untrained half-width network."""
    torch.manual_seed(0)
    return store_half(export_network(UNet("ave", 0.5).eval()))


@pytest.fixture
def packages(tmp_path, weights):
    """An operator's folder with the package ``anna`` in it, beside an empty model repository."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "models").mkdir()
    folder = tmp_path / "packages" / "anna"
    write_package(folder)
    (folder / "checkpoint").mkdir()
    onnx.save(weights, folder / "checkpoint" / "model_best.onnx")
    return tmp_path / "packages"


@pytest.fixture
def settings(packages):
    return {
        "packages_dir": str(packages),
        "avatars_dir": str(packages.parent / "avatars"),
        "model_repository": str(packages.parent / "models"),
    }


@pytest.fixture
async def loader(triton, settings):
    config = config_for(triton, **settings)
    async with Balancer(config) as balancer:
        yield PackageLoader(config, balancer)


async def test_a_package_becomes_an_avatar(triton, packages, pb, deployed):
    """LoadPackage imports a package of the operator's folder, and every Triton loads it."""
    response = await deployed.LoadPackage(pb.LoadPackageRequest(package_name="anna", package_dir="anna"))
    assert (response.success, response.error) == (True, "")
    assert (response.package_name, response.frame_count, response.device) == ("anna", 150, "cpu")
    assert list(response.audio_features_shape) == [FRAMES - 1, 512]
    assert list(response.videos_loaded) == ["full_body", "rois_320"]
    assert response.initialization_time_ms > 0
    assert (packages.parent / "models" / "anna_frames" / "1" / "faces.npy").is_file()
    listed = await deployed.ListModels(pb.ListModelsRequest())
    assert "anna" in listed.loaded_models


async def test_a_broken_package(packages, loader):
    """What the importer says of a broken package is the failure's sentence, and nothing is left of it."""
    edit_json(packages / "anna" / "package_info.json", "videos", value=None)
    with pytest.raises(ImportFailed) as caught:
        await loader.load("anna", "anna")
    assert str(caught.value).startswith(f"expected to import 'anna', got: {packages / 'anna'}")
    assert "expected an entry of videos whose video_file is full_body_video.*, with frame_count" in str(
        caught.value
    )
    assert list((packages.parent / "models").iterdir()) == []


async def test_what_is_served_stays(triton, packages, settings, loader):
    """A name that an avatar has that was not made of the same package stays as it is, unless the operator allows it."""
    demo = packages.parent / "models" / "demo"
    demo.mkdir()
    with pytest.raises(ImportFailed) as caught:
        await loader.load("demo", "anna")
    assert str(caught.value) == (
        f"expected to import 'demo', got: {demo}: expected a name that is free, or this package's already, "
        "got one of unknown origin"
    )
    assert list(demo.iterdir()) == []
    config = config_for(triton, packages_replace="on", **settings)
    async with Balancer(config) as balancer:
        await PackageLoader(config, balancer).load("demo", "anna")
    assert (demo / "config.pbtxt").is_file()
    await loader.load("demo", "anna")  # it is this package's now


async def test_an_importer_is_bounded(monkeypatch, loader):
    """An importer has limits of memory, of time on the processors, of what it writes, and leaves no core behind."""
    code = (
        "import resource, sys, time\n"
        "kinds = [resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE]\n"
        "while resource.getrlimit(resource.RLIMIT_CORE)[1]: pass\n"
        "sys.exit('error: ' + str([resource.getrlimit(kind)[1] for kind in kinds]))"
    )
    monkeypatch.setattr("bridge.grpc_service.packages.IMPORT", ("-c", code))
    with pytest.raises(ImportFailed) as caught:
        await loader.load("anna", "anna")
    seconds = 600 * os.cpu_count() + 1
    assert caught.value.sentence == str([12 << 30, seconds, 16 << 30, 0])


async def test_an_importer_undoes(monkeypatch, tmp_path, loader):
    """An importer whose client goes away, or whose time is up, is asked to end, and undoes what is half done."""
    ready, undone = tmp_path / "ready", tmp_path / "undone"
    os.mkfifo(ready)
    code = (
        "import pathlib, signal, sys\n"
        f"def undo(*_): pathlib.Path({str(undone)!r}).touch(); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, undo)\n"
        f"pathlib.Path({str(ready)!r}).write_text('ready')\n"
        "while True: signal.pause()"
    )
    monkeypatch.setattr("bridge.grpc_service.packages.IMPORT", ("-c", code))
    importing = asyncio.create_task(loader.load("anna", "anna"))
    await asyncio.to_thread(ready.read_text)
    importing.cancel()
    await asyncio.gather(importing, return_exceptions=True)
    assert undone.exists()


async def test_an_importer_that_does_not_end(monkeypatch, tmp_path, loader):
    """One that does not heed that is killed."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    code = (
        "import os, pathlib, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).write_text(str(os.getpid()))\n"
        "while True: signal.pause()"
    )
    monkeypatch.setattr("bridge.grpc_service.packages.IMPORT", ("-c", code))
    monkeypatch.setattr("bridge.grpc_service.packages.UNDO_S", 0.1)
    importing = asyncio.create_task(loader.load("anna", "anna"))
    pid = int(await asyncio.to_thread(ready.read_text))
    importing.cancel()
    await asyncio.gather(importing, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_package_whose_files_lie_elsewhere(packages, loader):
    """A package cannot name a video outside of itself."""
    outside = packages.parent / "full_body_video.avi"
    outside.write_bytes((packages / "anna" / "full_body_video.avi").read_bytes())
    info = packages / "anna" / "package_info.json"
    edit_json(info, "videos", "full_body_video", "video_file", value="../../full_body_video.avi")
    with pytest.raises(ImportFailed, match="expected a file within the package, got"):
        await loader.load("anna", "anna")


async def test_a_name_that_cannot_be(loader):
    """The importer's own refusal of a name comes through; one that looks like an option does not reach it."""
    with pytest.raises(ImportFailed, match="expected an avatar name of 1 to 64"):
        await loader.load("anna_unet", "anna")
    with pytest.raises(PackageRefused, match="package_name: expected an avatar's name, got '--video'"):
        await loader.load("--video", "anna")


async def test_one_at_a_time(loader):
    """While a package is imported, another request is refused."""
    importing = asyncio.create_task(loader.load("anna", "anna"))
    await asyncio.sleep(0)
    with pytest.raises(PackageRefused, match="expected one import at a time, got another one under way"):
        await loader.load("anna", "anna")
    importing.cancel()
    await asyncio.gather(importing, return_exceptions=True)


async def test_an_import_without_end(monkeypatch, triton, settings):
    """An importer that hangs is killed after the time it has."""
    monkeypatch.setattr("bridge.grpc_service.packages.IMPORT", ("-c", "import time; time.sleep(60)"))
    config = config_for(triton, import_timeout_s=0.1, **settings)
    async with Balancer(config) as balancer:
        with pytest.raises(ImportFailed, match=r"got: it took longer than 0\.1 s"):
            await PackageLoader(config, balancer).load("anna", "anna")


@pytest.mark.parametrize("asked", ["anna", "anna/", "./anna", "x/../anna", "deep/anna"])
def test_folders_below_the_allowed_one(tmp_path, asked):
    """Any spelling of a folder below the operator's is taken, an absolute path too."""
    (tmp_path / "anna").mkdir()
    (tmp_path / "deep" / "anna").mkdir(parents=True)
    folder = tmp_path / os.path.normpath(asked)
    assert allowed_folder(tmp_path, asked) == folder
    assert allowed_folder(tmp_path, str(folder)) == folder


def test_an_allowed_folder_that_is_a_link(tmp_path):
    """The operator's own folder may be a symbolic link, and be asked for by either name."""
    (tmp_path / "real" / "anna").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    for asked in ("anna", tmp_path / "link" / "anna", tmp_path / "real" / "anna"):
        assert allowed_folder(tmp_path / "link", str(asked)) == tmp_path / "real" / "anna"


@pytest.mark.parametrize(
    "asked",
    [
        "..",
        "../other",
        "anna/../../other",
        "/etc",
        "",
        ".",
        "/",
        "nowhere",
        "a\0b",
        "x" * 300,
        "file",
        "~root",
    ],
)
def test_folders_that_are_refused(tmp_path, asked):
    """A path out of the operator's folder, the folder itself, and what is not a folder are refused."""
    root = tmp_path / "packages"
    (root / "anna").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (root / "file").touch()
    with pytest.raises(PackageRefused, match=r"^package_dir: expected "):
        allowed_folder(root, asked)


@pytest.mark.parametrize("place", ["link", "anna/link", "anna/deep/link"])
def test_links_are_refused(tmp_path, place):
    """A symbolic link is refused as the package, on the way to it and within it, wherever it points."""
    (tmp_path / "anna" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / place).symlink_to(tmp_path / "real")
    for asked in {place.split("/")[0], f"{place}/inner"}:
        with pytest.raises(PackageRefused, match="plain files and folders, got 'link' in it"):
            allowed_folder(tmp_path, asked)


def test_pipes_are_refused(tmp_path):
    """A file whose reading may never end is refused."""
    (tmp_path / "anna").mkdir()
    os.mkfifo(tmp_path / "anna" / "aud_ave.npy")
    with pytest.raises(PackageRefused, match=r"got 'aud_ave\.npy' in it"):
        allowed_folder(tmp_path, "anna")
