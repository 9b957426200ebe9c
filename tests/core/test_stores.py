"""Files from a real object store: rclone, as a server of S3."""

import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.core import web
from stages.core.faults import Fault
from stages.core.inputs import File, opened, parts

CONTENT = b"".join(b"line %d\n" % n for n in range(400_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = ("someone", "their-secret")
ADDRESS = "s3://texts/a folder/lines.txt"
LISTENS = re.compile(rb"http://127\.0\.0\.1:\d+")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a store, and the folder that is its bucket `texts`."""
    root = tmp_path_factory.mktemp("store")
    (root / "texts/a folder").mkdir(parents=True)
    log = root.with_name("log")
    rclone = str(Path(sys.executable).with_name("rclone"))  # of the test extra
    command = [rclone, "serve", "s3", str(root), "--addr", "127.0.0.1:0", "--dir-cache-time", "0s"]
    command += ["--auth-key", ",".join(KEY), "--config", "/dev/null"]
    with log.open("wb") as said:
        server = subprocess.Popen(command, stderr=said)
    try:
        while not (found := LISTENS.search(log.read_bytes())):
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield found[0].decode(), root / "texts"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def store(bucket: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bucket, with one object in it; the environment says who asks whom."""
    address, folder = bucket
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY[1])
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("REPROLM_MIRRORS", raising=False)
    monkeypatch.setattr(web, "PAUSE", 0.01)
    (folder / "a folder/lines.txt").write_bytes(CONTENT)
    return folder


def visible(cache: Path) -> list[str]:
    return [path.name for path in (cache / "files").iterdir() if not path.name.startswith(".")]


def test_an_object_is_kept_by_its_sha256_and_not_asked_for_again(store: Path, tmp_path: Path):
    kept = web.fetched(ADDRESS, SHA256, tmp_path)
    (store / "a folder/lines.txt").unlink()
    assert web.fetched(ADDRESS, SHA256, tmp_path) == kept == tmp_path / "files" / SHA256
    assert kept.read_bytes() == CONTENT
    assert visible(tmp_path) == [SHA256]


def test_an_object_is_a_file_of_a_source(store: Path, tmp_path: Path):
    file = File(at=ADDRESS, sha256=SHA256, members=None, constants={})
    path = file.fetch(tmp_path)
    (part,) = parts([file], [path])
    assert [stream.read() for _, stream in opened(file, path, part)] == [CONTENT]


@pytest.mark.parametrize(
    "begun",
    [CONTENT[:1_000_000], CONTENT, b"of another version", bytes(len(CONTENT) + 1)],
    ids=["a part", "all of it", "of another version", "too long"],
)
def test_what_broke_off_goes_on_and_is_verified(store: Path, tmp_path: Path, begun: bytes):
    (tmp_path / "files").mkdir()
    (tmp_path / f"files/.{SHA256}.part").write_bytes(begun)
    assert web.fetched(ADDRESS, SHA256, tmp_path).read_bytes() == CONTENT
    assert visible(tmp_path) == [SHA256]


def test_other_bytes_are_not_taken_and_not_kept(store: Path, tmp_path: Path):
    (store / "a folder/lines.txt").write_bytes(b"other")
    with pytest.raises(Fault, match=f"^{ADDRESS}: the bytes are not the pinned ones"):
        web.fetched(ADDRESS, SHA256, tmp_path)
    assert visible(tmp_path) == []


def test_without_a_pin_it_is_what_is_there_now(store: Path, tmp_path: Path):
    assert web.brought(ADDRESS, tmp_path) == SHA256
    assert visible(tmp_path) == [SHA256]


@pytest.mark.parametrize("address", ["s3://texts/nothing.txt", "s3://nowhere/x"])
def test_what_is_not_there_is_told_at_once(store: Path, tmp_path: Path, address: str):
    with pytest.raises(Fault, match=f"^{address}: FileNotFoundError: .*; name another place, or one that stands in"):
        web.fetched(address, SHA256, tmp_path)
    assert visible(tmp_path) == []


def test_who_may_not_read_is_told(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(Fault, match=f"^{ADDRESS}: PermissionError: "):
        web.fetched(ADDRESS, SHA256, tmp_path)


def test_who_has_no_key_is_told(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(Fault, match=f"^{ADDRESS}: NoCredentialsError: Unable to locate credentials; name another"):
        web.fetched(ADDRESS, SHA256, tmp_path)


def test_a_mirror_stands_in_for_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lines.txt").write_bytes(CONTENT)
    monkeypatch.setenv("REPROLM_MIRRORS", f"s3://texts/ {tmp_path}/")
    assert web.fetched("s3://texts/lines.txt", SHA256, tmp_path / "cache") == tmp_path / "lines.txt"


def test_a_store_stands_in_for_the_web(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REPROLM_MIRRORS", "https://example.org/ s3://texts/a folder/")
    assert web.fetched("https://example.org/lines.txt", SHA256, tmp_path).read_bytes() == CONTENT


def test_a_file_in_a_file_is_no_object(tmp_path: Path):
    with pytest.raises(Fault, match="`::` would be a file in a file, which `members` are for"):
        web.fetched("s3://texts/a.zip::zip://b", SHA256, tmp_path)


def test_a_store_whose_package_is_missing(tmp_path: Path):
    told = "oci://texts/x: a package is missing that reads oci://; pip install ocifs"
    with pytest.raises(Fault, match=f"^{re.escape(told)}$"):
        web.fetched("oci://texts/x", SHA256, tmp_path)


def test_what_it_reads_with_is_not_loaded_before_there_is_an_address():
    told = "from stages.core import web; import sys; print([one for one in sys.modules if one in ('fsspec', 's3fs')])"
    assert subprocess.check_output([sys.executable, "-c", told], text=True) == "[]\n"
