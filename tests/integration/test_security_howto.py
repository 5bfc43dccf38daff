"""docs/how-to/broker.md: its commands, as they stand, with other ports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import free_port
from secured import NOT_AUTHORIZED, Authority, Peer, Secured

pytestmark = pytest.mark.mosquitto

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/broker.md").read_text()


def test_from_nothing_to_a_secured_broker(require: Callable[[str, str], Path], tmp_path: Path) -> None:
    tools = [("openssl", "openssl"), ("mosquitto", "mosquitto"), ("mosquitto_pub", "mosquitto-clients")]
    folders = {str(require(*tool).parent) for tool in tools} | {str(Path(sys.executable).parent)}
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    for shipped in ("8883", "8884"):
        port = str(free_port())
        commands = commands.replace(shipped, port)
        commands = commands.replace(
            "> mosquitto.conf", f"| sed 's/listener {shipped}/listener {port}/' > mosquitto.conf", 1
        )
    (tmp_path / "docker").mkdir()
    for name in ("acl", "mosquitto.conf"):
        (tmp_path / "docker" / name).write_bytes((ROOT / "docker" / name).read_bytes())
    if os.geteuid() == 0:  # else it gives up root, and with it this folder
        with (tmp_path / "docker" / "mosquitto.conf").open("a") as file:
            file.write("user root\n")
    # A reader types slowly; a script has to wait until the broker listens.
    commands = commands.replace("2> mosquitto.log &", "2> mosquitto.log &\necho $! > pid\nsleep 1")
    (tmp_path / "page.sh").write_text(commands)
    environment = {
        "PATH": os.pathsep.join([*sorted(folders), os.environ["PATH"]]),
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    said = tmp_path / "said"
    try:
        with said.open("wb") as output:  # a pipe would stay open as long as the broker
            code = subprocess.run(
                ["bash", "-eu", "page.sh"],
                check=False,
                cwd=tmp_path,
                env=environment,
                stdout=output,
                stderr=output,
                timeout=120,
            ).returncode
    finally:
        if (tmp_path / "broker" / "pid").exists():
            os.kill(int((tmp_path / "broker" / "pid").read_text()), signal.SIGTERM)
    text = said.read_text()
    assert code == 0, text
    assert re.search("Publish [0-9]+ failed: Not authorized", text)
    assert re.search("Vehicle.Speed.*48.2", text), text


def test_the_lines_for_devices_with_topics_of_their_own(require: Callable[[str, str], Path], tmp_path: Path) -> None:
    lines = re.search(r"^```\n(pattern write ovms.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert lines is not None
    authority = Authority(require("openssl", "openssl"), tmp_path / "ca").found()
    users = {"anna": "a long pass phrase", "bert": "another one"}
    broker = Secured(require("mosquitto", "mosquitto"), tmp_path / "broker", authority, users).prepare()
    with (broker.folder / "acl").open("a") as acl:
        acl.write("\n" + lines[1])
    broker.start()
    collector = Peer(broker.cars, authority.context("collector"))
    anna, bert = (Peer(broker.owners, authority.context(), login=login) for login in users.items())
    try:
        collector.listen("#")
        assert bert.say("ovms/anna/model3/metric/v/p/speed") == NOT_AUTHORIZED
        assert bert.say("rocade/v1/anna~model3/consent") == NOT_AUTHORIZED
        for topic in ("ovms/anna/model3/metric/v/p/speed", "rocade/v1/anna~model3/consent"):
            assert anna.say(topic, topic.encode()) == 0
        assert collector.hears(2)
        assert collector.say("ovms/collector/model3/metric") == NOT_AUTHORIZED
    finally:
        for each in (collector, anna, bert):
            each.leave()
        broker.stop()
    assert {topic.encode() == said for topic, said in collector.heard[:2]} == {True}


def test_docker_mounts_what_the_page_makes_and_nothing_else() -> None:
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    for service in services.values():
        for volume in service["volumes"]:
            place, inside, *_ = volume.split(":")
            if place.startswith("./"):
                assert (ROOT / "docker" / place).is_file()
            elif place.startswith("../broker/certs/"):
                assert "ca.key" not in place
                assert place.removeprefix("../broker/certs/").split(".")[0] in ("ca", "broker", "collector")
            if inside.startswith("/mosquitto/config/") and not inside.endswith("mosquitto.conf"):
                assert inside in (ROOT / "docker/mosquitto.conf").read_text()
    for line in (ROOT / "docker/Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            assert all((ROOT / name).exists() for name in line.split()[1:-1])
