"""mqtts:// for real: a Mosquitto that speaks TLS, certificates of our own making."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from secured import Authority

from pipelines.collect import CollectReport, Until, collect
from pipelines.errors import CollectError
from pipelines.fleet.replay import replay
from pipelines.progress import Silent
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from conftest import Mosquitto

pytestmark = pytest.mark.mosquitto


@pytest.fixture
def authority(require: Callable[[str, str], Path], tmp_path: Path) -> Callable[[str], Authority]:
    openssl = require("openssl", "openssl")
    return lambda name: Authority(openssl, tmp_path / name).found()


@pytest.fixture
def ours(authority: Callable[[str], Authority]) -> Authority:
    return authority("ours")


@pytest.fixture
def broker(mosquitto_with: Callable[[str], Mosquitto], ours: Authority) -> Callable[..., Mosquitto]:
    certificate, key = ours.sign("broker")

    def start(*more: str) -> Mosquitto:
        lines = [f"certfile {certificate}", f"keyfile {key}", "allow_anonymous true", *more]
        return mosquitto_with("\n".join(lines))

    return start


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., Settings]:
    def make(broker: Mosquitto, **more: Any) -> Settings:
        return load_settings(home=tmp_path / "home", mqtt_url=f"mqtts://127.0.0.1:{broker.port}", **more)

    return make


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    lines = [f"03/29/2021,12:00:{second:02d},{second}" for second in range(30)]
    file.write_text("\n".join(["Date,Time,Speed", *lines]))
    return file


def there_and_back(settings: Settings, log: Path) -> CollectReport:
    collect(settings, until=Until(idle_s=0.1))
    assert replay([log], "twizy", settings, speed=0, progress=Silent()).published.rows == 30
    return collect(settings, until=Until(idle_s=1))


def refusals(settings: Settings, log: Path) -> list[str]:
    """What the collector and a replay say of a broker that they cannot use."""
    said = []
    for work in (lambda: collect(settings), lambda: replay([log], "twizy", settings, speed=0, progress=Silent())):
        with pytest.raises(CollectError) as caught:
            work()
        said.append(str(caught.value))
        # paho leaves the socket of a handshake that failed to the garbage collector, which complains: here, and not later.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "unclosed <ssl.SSLSocket", ResourceWarning)
            del caught
            gc.collect()
    return said


def test_collecting_and_replaying_over_tls(broker: Any, ours: Authority, settings_for: Any, log: Path) -> None:
    report = there_and_back(settings_for(broker(), mqtt_ca=ours.ca), log)
    assert report.readings == 30 + 4  # a speed a second, and what the car is


def test_a_broker_signed_by_somebody_else(broker: Any, authority: Any, settings_for: Any, log: Path) -> None:
    server = broker()
    for said in refusals(settings_for(server, mqtt_ca=authority("theirs").ca), log):
        assert said.startswith(f"mqtts://127.0.0.1:{server.port}: the broker's certificate is not accepted")
        assert "ROCADE_MQTT_CA" in said


def test_a_client_certificate_that_is_asked_for_and_given(
    broker: Any, ours: Authority, settings_for: Any, log: Path
) -> None:
    certificate, key = ours.sign("collector")
    server = broker(f"cafile {ours.ca}", "require_certificate true")
    settings = settings_for(server, mqtt_ca=ours.ca, mqtt_cert=certificate, mqtt_key=key)
    assert there_and_back(settings, log).readings == 34


@pytest.mark.parametrize("versions", ["tlsv1.2", "tlsv1.3"])
@pytest.mark.parametrize("foreign", ["", "foreign"])
def test_a_client_certificate_that_is_missing_or_foreign(
    broker: Any, ours: Authority, authority: Any, settings_for: Any, log: Path, versions: str, foreign: str
) -> None:
    server = broker(f"cafile {ours.ca}", "require_certificate true", f"tls_version {versions}")
    certificate, key = authority("theirs").sign("collector") if foreign else (None, None)
    for said in refusals(settings_for(server, mqtt_ca=ours.ca, mqtt_cert=certificate, mqtt_key=key), log):
        assert said.startswith(f"mqtts://127.0.0.1:{server.port}: ")
        assert "ROCADE_MQTT_CERT" in said


def test_plain_mqtt_to_a_port_that_speaks_tls(broker: Any, settings_for: Any, log: Path, tmp_path: Path) -> None:
    server = broker()
    plain = load_settings(home=tmp_path / "home", mqtt_url=f"mqtt://127.0.0.1:{server.port}")
    for said in refusals(plain, log):
        assert "mqtts://" in said


def test_tls_to_a_port_that_speaks_plain_mqtt(mosquitto: Mosquitto, settings_for: Any, log: Path) -> None:
    for said in refusals(settings_for(mosquitto), log):
        assert "else with mqtt://" in said
